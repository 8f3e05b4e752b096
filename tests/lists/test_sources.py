from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.lists import ListSource, ServiceClients, SourceSettings, build_list_sources
from app.lists.entry import ListChannel
from app.lists.errors import SourceNotConfigured
from app.lists.http_client import HttpLimits
from app.lists.kitsu import KitsuReader
from app.lists.registry import normalize_base_url
from app.lists.service_clients import RATE_LIMITS
from app.upstream import RateLimit, SharedStorage
from demo.fake_upstream import FakeUpstream
from tests.lists import scenarios
from tests.lists.scenarios import entry


@pytest.fixture
def shared(tmp_path: Path) -> SharedStorage:
    return SharedStorage(tmp_path)


def build(shared: SharedStorage, **settings: Any) -> dict[str, ListSource]:
    return build_list_sources(
        ServiceClients(SourceSettings(version="1.2", shared_storage=shared, **settings)),
        anilist_to_mal={1: 100},
    )


def test_anilist_is_there_and_fetches(upstream: FakeUpstream, shared: SharedStorage) -> None:
    upstream.add_user("Someone", [entry(1, None, score=7)])
    sources = build(
        shared, public_url="https://hakken.example", anilist_url=upstream.base_url("anilist")
    )
    source = sources["anilist"]
    assert (source.slug, source.name) == ("anilist", "AniList")
    fans = source.fetch("Someone")
    assert [(item.anime_id, item.score) for item in fans.entries] == [(100, 7.0)]
    assert upstream.requests[0].headers["referer"] == "https://hakken.example"


def test_ids_of_kitsu_may_come_later(shared: SharedStorage) -> None:
    """With the model: there is none yet when the sources are made."""
    known: dict[int, int] = {}
    settings = SourceSettings(version="1", shared_storage=shared)
    sources = build_list_sources(ServiceClients(settings), anilist_to_mal={}, kitsu_to_mal=known)
    lists = sources["kitsu"].lists
    assert lists is not None
    assert isinstance(lists.reader, KitsuReader)
    known[1] = 100
    assert lists.reader.kitsu_to_mal[1] == 100


def test_what_works_comes_first(shared: SharedStorage) -> None:
    bare = build(shared)
    assert list(bare) == ["anilist", "kitsu", "shikimori", "myanimelist", "jikan"]
    assert [slug for slug, source in bare.items() if not source.show_in_forms] == ["jikan"]
    for slug in ("myanimelist", "jikan"):
        with pytest.raises(SourceNotConfigured):
            bare[slug].fetch("Someone")
    for settings in ({"mal_client_id": "x"}, {"mal_web": True}):
        assert next(iter(build(shared, **settings))) == "myanimelist"
    own = build(shared, jikan_url="http://jikan.example/v4")
    assert own["myanimelist"].channels == own["jikan"].channels == [ListChannel.JIKAN]
    every = build(shared, mal_client_id="x", mal_web=True, jikan_url="http://jikan.example/v4")
    assert every["myanimelist"].channels == ["api", "jikan", "list_pages"]
    assert bare["myanimelist"].channels == []
    assert list(own) == ["myanimelist", "anilist", "kitsu", "shikimori", "jikan"]
    assert own["jikan"].show_in_forms


def test_list_pages_wait_for_their_turn_however_many(
    upstream: FakeUpstream, shared: SharedStorage
) -> None:
    assert RATE_LIMITS["mal-pages"] == (RateLimit(1, 2),)
    source = build(
        shared,
        mal_web=True,
        mal_web_url=upstream.base_url("mal-web"),
        rate_limits={"mal-pages": (RateLimit(1, 0.05),)},
        http_limits=HttpLimits(max_throttle_wait=0),
    )["myanimelist"]
    assert len(source.fetch(scenarios.LONG_USER).entries) == 1_250
    assert len(upstream.requests) == 5


@pytest.mark.parametrize(
    ("slug", "profile", "listing"),
    [
        ("anilist", "https://anilist.co/user/A/", "https://anilist.co/user/A/animelist"),
        ("kitsu", "https://kitsu.app/users/A", "https://kitsu.app/users/A/library?media=anime"),
        ("shikimori", "https://shikimori.io/A", "https://shikimori.io/A/list/anime"),
        ("myanimelist", "https://myanimelist.net/profile/A", "https://myanimelist.net/animelist/A"),
        ("jikan", "https://myanimelist.net/profile/A", "https://myanimelist.net/animelist/A"),
    ],
)
def test_links_lead_to_the_fan_and_nowhere_else(
    shared: SharedStorage, slug: str, profile: str, listing: str
) -> None:
    source = build(shared)[slug]
    assert source.list_url("A") == listing
    for link in (profile, listing):
        assert source.username_rule.username_in_url(link) == "A"
    assert "..%2Fx%3Fy" in source.list_url("../x?y")


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
    assert normalize_base_url(given, "/v2") == used
