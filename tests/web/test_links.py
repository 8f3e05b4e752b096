from __future__ import annotations

import pytest

from app.catalogue import Anime
from app.web.presenters.cards import site_links, source_link

KNOWN = Anime(5, "Five", anilist_id=50, kitsu_id=500)
LONELY = Anime(5, "Five")
MAL = ("MyAnimeList", "https://myanimelist.net/anime/5")


@pytest.mark.parametrize(
    ("source", "known", "lonely"),
    [
        ("myanimelist", MAL, MAL),
        ("anilist", ("AniList", "https://anilist.co/anime/50"), MAL),
        ("kitsu", ("Kitsu", "https://kitsu.app/anime/500"), MAL),
        ("shikimori", *2 * [("Shikimori", "https://shikimori.io/animes/5")]),
        ("jikan", MAL, MAL),
        ("export", MAL, MAL),
    ],
)
def test_a_fan_is_led_to_the_site_of_the_list(
    source: str, known: tuple[str, str], lonely: tuple[str, str]
) -> None:
    assert source_link(KNOWN, source) == known
    assert source_link(LONELY, source) == lonely


def test_every_site_that_knows_it_is_named() -> None:
    assert [name for name, _ in site_links(KNOWN)] == ["MyAnimeList", "AniList", "Kitsu"]
    assert site_links(LONELY) == [MAL]
