"""Facts about anime: titles, type, year, genres, pictures, ids on other sites.

Kept as columns (one list a field) in a gzipped JSON file inside the model, because twenty-five
thousand small objects would cost a worker more memory than the model's matrices.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.recommender.franchise import Franchises

PICTURE_HOST = "https://cdn.myanimelist.net/images/anime/"
MAL_ANIME = "https://myanimelist.net/anime/"
MOST_KEPT = 1024
"""Anime that are asked for again and again are put together once; they take half a megabyte."""
_NO_LETTERS = re.compile(r"[\W_]+")

# Column -> what an empty cell is. Order is the order in the file.
COLUMNS: dict[str, Any] = {
    "anime_id": 0,
    "anilist_id": None,
    "kitsu_id": None,
    "title": "",
    "title_english": None,
    "type": None,
    "episodes": None,
    "season": None,
    "year": None,
    "genres": "",
    "mean": None,
    "members": None,
    "picture": None,
    "adult": False,
    "franchise_id": None,
    "source": None,
}


@dataclass(frozen=True, slots=True)
class Anime:
    """What is known of one anime; None or empty where nobody knows."""

    anime_id: int
    title: str
    title_english: str | None = None
    type: str | None = None
    episodes: int | None = None
    season: str | None = None
    year: int | None = None
    genres: tuple[str, ...] = ()
    mean: float | None = None
    members: int | None = None
    picture: str | None = None
    adult: bool = False
    franchise_id: int | None = None
    anilist_id: int | None = None
    kitsu_id: int | None = None
    source: str | None = None

    @property
    def url(self) -> str:
        """The anime's page on MyAnimeList."""
        return f"{MAL_ANIME}{self.anime_id}"

    def called(self, *, english: bool) -> str:
        """The title to show: the romanised one, or the English one where there is one."""
        return (self.title_english if english else None) or self.title

    def also_called(self, *, english: bool) -> str | None:
        """The other title, unless it is the same but for case and punctuation."""
        other = self.title if english else self.title_english
        return other if other and _bare(other) != _bare(self.called(english=english)) else None


class Catalogue:
    """All anime that Hakken knows by name, by MyAnimeList id.

    It holds more anime than the model: those nobody has rated yet have a name, too.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        count = len(columns["anime_id"])
        # Older files have fewer columns.
        self._columns = {
            name: columns.get(name) or [empty] * count for name, empty in COLUMNS.items()
        }
        self._row = {anime_id: row for row, anime_id in enumerate(columns["anime_id"])}
        self._kept = lru_cache(MOST_KEPT)(self._read)

    @classmethod
    def open(cls, path: Path) -> Catalogue:
        """Read the file that `encode` wrote."""
        return cls(json.loads(gzip.decompress(path.read_bytes())))

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, anime_id: int) -> bool:
        return anime_id in self._row

    def ids(self) -> list[int]:
        """The ids of all anime, in the order of the file."""
        return list(self._row)

    def get(self, anime_id: int) -> Anime:
        """Everything known about an anime; one that is unknown is named by its id."""
        return self._kept(anime_id)

    def _read(self, anime_id: int) -> Anime:
        row = self._row.get(anime_id)
        if row is None:
            return Anime(anime_id, f"Anime {anime_id}")
        values = {name: column[row] for name, column in self._columns.items()}
        values["genres"] = tuple(values["genres"].split(";")) if values["genres"] else ()
        if values["picture"]:
            values["picture"] = PICTURE_HOST + values["picture"]
        return Anime(**values)

    def title(self, anime_id: int, *, english: bool = False) -> str:
        """The title alone, for sentences: romanised, or English where there is an English one."""
        row = self._row.get(anime_id)
        if row is None:
            return f"Anime {anime_id}"
        return str((english and self._columns["title_english"][row]) or self._columns["title"][row])

    def column(self, name: str, anime_ids: Iterable[int]) -> list[Any]:
        """One fact for many anime; the column's empty value where an anime is unknown."""
        values, empty = self._columns[name], COLUMNS[name]
        rows = (self._row.get(anime_id) for anime_id in anime_ids)
        return [empty if row is None else values[row] for row in rows]

    def ids_from(self, site: str) -> dict[int, int]:
        """Map ids of another site (``anilist`` or ``kitsu``) to MyAnimeList ids."""
        theirs, ours = self._columns[f"{site}_id"], self._columns["anime_id"]
        return {foreign: own for foreign, own in zip(theirs, ours, strict=True) if foreign}


def _bare(title: str) -> str:
    return _NO_LETTERS.sub("", title.casefold())


def franchises_of(catalogue: Catalogue, anime_ids: Sequence[int]) -> Franchises:
    """The franchises among the anime of a model, as far as they can be inferred."""
    return Franchises.infer(
        *(catalogue.column(name, anime_ids) for name in ("franchise_id", "type", "year", "title"))
    )


def encode(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """The catalogue file for columns named as in `COLUMNS`; same columns, same bytes."""
    ordered = {name: list(columns[name]) for name in COLUMNS}
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode(), 9, mtime=0)
