"""A small catalogue, and files read into it."""

from __future__ import annotations

from typing import BinaryIO

from app.catalogue import Catalogue
from app.lists.entry import AnimeList
from app.lists.files import place_entries, read_list_file
from app.title_search import TitleIndex

FMAB = "Fullmetal Alchemist: Brotherhood"
_ANIME = [
    # number, AniList's, Kitsu's, title, English, native, synonyms, type, year
    (5114, 5114, 3936, "Hagane no Renkin", FMAB, "鋼の錬金術師", "FMA|FMAB", "TV", 2009),
    (121, 121, 103, "Hagane (2003)", "Fullmetal Alchemist", None, "FMA", "TV", 2003),
    (19, 19, 10, "Monster", None, "モンスター", "", "TV", 2004),
    (101, 900101, 901, "Hellsing", "Hellsing", None, "", "TV", 2001),
    (102, 900102, 902, "Hellsing Ultimate", "Hellsing", None, "", "OVA", 2006),
    (103, 900103, 903, "Twins", None, None, "", "TV", 2010),
    (104, 900104, 904, "Twins", None, None, "", "Movie", 2010),
    (105, 900105, 905, "Twins", None, None, "", "TV", 2018),
    (106, 900106, None, "The World", None, None, "", "TV", None),
    (107, None, None, "Sen to Chihiro", "Spirited Away", None, "", "Movie", 2001),
]  # fmt: skip
_COLUMNS = (
    *("anime_id", "anilist_id", "kitsu_id", "title", "title_english", "title_native"),
    *("synonyms", "type", "year"),
)
CATALOGUE = Catalogue(dict(zip(_COLUMNS, map(list, zip(*_ANIME, strict=True)), strict=True)))
TITLES = TitleIndex(CATALOGUE, CATALOGUE.anime_ids())


def read_placed(data: bytes | BinaryIO) -> AnimeList:
    """The list in a file, with the numbers of `CATALOGUE`."""
    return place_entries(read_list_file(data), CATALOGUE, TITLES)


def scores(fans: AnimeList) -> dict[int, tuple[str, float | None]]:
    """Status and score by anime."""
    return {entry.anime_id: (entry.status.slug, entry.score) for entry in fans.entries}
