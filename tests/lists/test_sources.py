from __future__ import annotations

from app.lists import SourceSettings, build_sources
from tests.lists.fake_anilist import FakeAniList, entry


def test_anilist_is_there_and_fetches(fake_anilist: FakeAniList) -> None:
    fake_anilist.add("Someone", [entry(1, None, score=7)])
    settings = SourceSettings(
        version="1.2", public_url="https://hakken.example", anilist_url=fake_anilist.url
    )
    sources = build_sources(settings, anilist_to_mal={1: 100})
    assert list(sources) == ["anilist"]
    source = sources["anilist"]
    assert (source.slug, source.name) == ("anilist", "AniList")
    fans = source.fetch("Someone")
    assert [(item.anime_id, item.score) for item in fans.entries] == [(100, 7.0)]
    assert fake_anilist.requests[0].headers["referer"] == "https://hakken.example"


def test_links_lead_to_the_fan_and_nowhere_else() -> None:
    source = build_sources(SourceSettings(version="1"), anilist_to_mal={})["anilist"]
    assert source.profile_link("Someone") == "https://anilist.co/user/Someone/"
    assert source.list_link("Someone") == "https://anilist.co/user/Someone/animelist"
    assert source.profile_link("../x?y") == "https://anilist.co/user/..%2Fx%3Fy/"
