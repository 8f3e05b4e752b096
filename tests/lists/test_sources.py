from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.lists import Services, Source, SourceSettings, build_sources
from app.lists.errors import NotSetUp
from app.lists.http import Limits
from app.lists.registry import base_address
from app.lists.services import PACES
from app.upstream import Pace, Shared
from demo.upstream import Upstream
from tests.lists import scenarios
from tests.lists.scenarios import entry


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def build(shared: Shared, **settings: Any) -> dict[str, Source]:
    return build_sources(
        Services(SourceSettings(version="1.2", shared=shared, **settings)), anilist_to_mal={1: 100}
    )


def test_anilist_is_there_and_fetches(upstream: Upstream, shared: Shared) -> None:
    upstream.add("Someone", [entry(1, None, score=7)])
    sources = build(shared, public_url="https://hakken.example", anilist_url=upstream.at("anilist"))
    source = sources["anilist"]
    assert (source.slug, source.name) == ("anilist", "AniList")
    fans = source.fetch("Someone")
    assert [(item.anime_id, item.score) for item in fans.entries] == [(100, 7.0)]
    assert upstream.requests[0].headers["referer"] == "https://hakken.example"


def test_what_works_comes_first(shared: Shared) -> None:
    bare = build(shared)
    assert list(bare) == ["anilist", "kitsu", "shikimori", "myanimelist", "jikan"]
    assert [slug for slug, source in bare.items() if not source.offered] == ["jikan"]
    for slug in ("myanimelist", "jikan"):
        with pytest.raises(NotSetUp):
            bare[slug].fetch("Someone")
    for settings in ({"mal_client_id": "x"}, {"mal_web": True}):
        assert next(iter(build(shared, **settings))) == "myanimelist"
    own = build(shared, jikan_url="http://jikan.example/v4")
    assert list(own) == ["myanimelist", "anilist", "kitsu", "shikimori", "jikan"]
    assert own["jikan"].offered


def test_list_pages_wait_for_their_turn_however_many(upstream: Upstream, shared: Shared) -> None:
    assert PACES["mal-pages"] == (Pace(1, 2),)
    source = build(
        shared,
        mal_web=True,
        mal_web_url=upstream.at("mal-web"),
        paces={"mal-pages": (Pace(1, 0.05),)},
        limits=Limits(turn=0),
    )["myanimelist"]
    assert len(source.fetch(scenarios.LONG).entries) == 1_250
    assert len(upstream.requests) == 5


@pytest.mark.parametrize(
    ("slug", "profile", "listing"),
    [
        ("anilist", "https://anilist.co/user/A/", "https://anilist.co/user/A/animelist"),
        ("kitsu", "https://kitsu.app/users/A", "https://kitsu.app/users/A/library?media=anime"),
        ("shikimori", "https://shikimori.io/A", "https://shikimori.io/A/list/anime"),
        (
            "myanimelist",
            "https://myanimelist.net/profile/A",
            "https://myanimelist.net/animelist/A",
        ),
        ("jikan", "https://myanimelist.net/profile/A", "https://myanimelist.net/animelist/A"),
    ],
)
def test_links_lead_to_the_fan_and_nowhere_else(
    shared: Shared, slug: str, profile: str, listing: str
) -> None:
    source = build(shared)[slug]
    assert (source.profile_link("A"), source.list_link("A")) == (profile, listing)
    for link in (profile, listing):
        assert source.names.in_address(link) == "A"
    assert "..%2Fx%3Fy" in source.profile_link("../x?y")


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://h.example", "https://h.example/v2"),
        ("https://h.example/", "https://h.example/v2"),
        ("https://h.example/proxy/", "https://h.example/proxy"),
        ("http://h.example:81/v2", "http://h.example:81/v2"),
    ],
)
def test_a_bare_host_gets_the_usual_path(given: str, used: str) -> None:
    assert base_address(given, "/v2") == used
