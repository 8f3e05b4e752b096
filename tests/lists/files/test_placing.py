from __future__ import annotations

import json

import pytest

from app.lists.entry import AnimeList
from tests.lists.files.placed import read_placed


def placed(*rows: dict[str, object]) -> AnimeList:
    return read_placed(json.dumps([{"status": "completed", **row} for row in rows]).encode())


@pytest.mark.parametrize(
    ("row", "anime_id"),
    [
        ({"title": "monster"}, 19),
        ({"title": "モンスター"}, 19),
        ({"title": "FMAB"}, 5114),
        ({"title": "World"}, 106),
        ({"title": "Hellsing"}, None),  # the English title of another one, too
        ({"title": "Hellsing", "year": 2001}, 101),
        ({"title": "Hellsing", "year": 2006}, 102),
        ({"title": "Hellsing", "type": "OVA"}, 102),
        ({"title": "Hellsing (2001)"}, 101),
        ({"title": "Twins"}, None),
        ({"title": "Twins", "year": 2018}, 105),
        ({"title": "Twins", "year": 2010}, None),
        ({"title": "Twins", "year": "2010", "type": "movie"}, 104),
        ({"title": "Twins", "type": "TV", "year": 2010}, 103),
        ({"title": "Monster", "year": 1990}, None),  # another work
        ({"title": "Monster", "year": 2005}, 19),
        ({"title": "FMA"}, None),
        ({"title": "?", "title_english": "Spirited Away"}, 107),
        ({"title": "Monsters"}, None),
        ({"title": "Monster", "anilist_id": 900105}, 105),
        ({"title": "Monster", "kitsu_id": "901"}, 101),
        ({"title": "Monster", "mal_id": 5}, 5),
        ({"title": "x", "link": "https://anilist.co/anime/900101/Hellsing/"}, 101),
        ({"title": "x", "link": "https://shikimori.one/animes/z19-monster"}, 19),
        ({"title": "x", "link": "https://myanimelist.net/anime.php?id=19"}, 19),
        ({"title": "!?"}, None),
        ({"title": "A｜B"}, None),
    ],
)
def test_rows_are_placed_where_that_is_unambiguous(
    row: dict[str, object], anime_id: int | None
) -> None:
    fans = placed(row)
    assert [entry.anime_id for entry in fans.entries] == ([anime_id] if anime_id else [])
    assert fans.unmapped == (anime_id is None)


def test_a_few_of_the_unplaced_are_named() -> None:
    fans = placed(*({"title": f"Nothing {n}"} for n in range(9)), {"title": None, "mal_id": "x"})
    assert fans.unmapped == 10
    assert fans.unplaced_titles == tuple(f"Nothing {n}" for n in range(5))


def test_of_rows_about_one_anime_the_last_wins() -> None:
    fans = placed({"mal_id": 19, "score": 3}, {"mal_id": 5}, {"title": "Monster", "score": 9})
    assert [(entry.anime_id, entry.score) for entry in fans.entries] == [(5, None), (19, 9.0)]
