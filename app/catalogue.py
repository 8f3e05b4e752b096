"""Facts about anime: titles, type, year, genres, pictures, ids on other sites.

Kept as columns (one list a field) in a gzipped JSON file inside the model, because twenty-five
thousand small objects would cost a worker more memory than the model's matrices.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import FailFast, Field, ValidationError, create_model
from rapidfuzz.distance import Levenshtein

from app.age_rating import AgeRating
from app.pictures import expand_picture_url
from app.recommender.array_types import Int64Array
from app.recommender.artifact import ArtifactError
from app.recommender.franchise import Franchises, skip_extras
from app.recommender.regular_files import TooLargeError, decompress_gzip, read_regular

MAL_ANIME_URL = "https://myanimelist.net/anime/"
SITE_ANIME_URLS = {
    "anilist": "https://anilist.co/anime/",
    "kitsu": "https://kitsu.app/anime/",
    "shikimori": "https://shikimori.io/animes/",
}
"""What pages of anime begin with, before the number that the site has for one."""
MAX_PACKED_BYTES, MAX_UNPACKED_BYTES = 16 * 1024**2, 64 * 1024**2
"""A catalogue of all anime there are has a tenth of these."""
ANIME_CACHE_SIZE = 1024
"""Anime that are asked for again and again are put together once; they take half a megabyte."""
MANY_FILMS = 7
"""Who makes so many of a series tells a new story in each, as of Conan, Naruto and Lupin III."""
_NON_LETTERS = re.compile(r"[\W_]+")
_NUMBERS = re.compile(r"[0-9]+")


class TitleLanguage(StrEnum):
    """Which of its titles an anime is called by. What has none in it keeps the romanised one."""

    ROMAJI = "romaji"
    ENGLISH = "english"
    NATIVE = "native"


_TITLE_COLUMNS = {
    TitleLanguage.ROMAJI: "title",
    TitleLanguage.ENGLISH: "title_english",
    TitleLanguage.NATIVE: "title_native",
}
RelationKind = Literal["sequel", "prequel", "summary", "side_story", "alternative", "spin_off"]
"""What an anime is to another."""

_Id = Annotated[int, Field(gt=0, lt=2**31)]
_Number = Annotated[int, Field(ge=-(2**31), lt=2**31)]
_Words = Annotated[str, Field(max_length=20_000)]
_Text = Annotated[str, Field(max_length=2_000)]
# Column -> what a cell may hold, and what an empty one is. Order is the order in the file.
_COLUMN_TYPES: dict[str, tuple[Any, Any]] = {
    "anime_id": (_Id, 0),
    "anilist_id": (_Id | None, None),
    "kitsu_id": (_Id | None, None),
    "tvdb_id": (_Id | None, None),
    "title": (_Words, ""),
    "title_english": (_Text | None, None),
    "title_native": (_Text | None, None),
    "synonyms": (_Words, ""),
    "type": (_Text | None, None),
    "episodes": (_Number | None, None),
    "season": (_Text | None, None),
    "year": (_Number | None, None),
    "genres": (_Words, ""),
    "themes": (_Words, ""),
    "demographics": (_Words, ""),
    "tags": (_Words, ""),
    "studios": (_Words, ""),
    "age_rating": (AgeRating | None, None),
    "rating_inferred": (bool, False),
    "mean": (Annotated[float, Field(ge=0, le=10)] | None, None),
    "members": (_Number | None, None),
    "picture": (_Text | None, None),
    "adult": (bool, False),
    "franchise_id": (_Number | None, None),
    "watch_order": (_Number | None, None),
    "is_extra": (bool, False),
    "is_inferred": (bool, False),
    "relation_kind": (RelationKind | None, None),
    "relation_id": (_Number | None, None),
    "source": (_Text | None, None),
}
COLUMN_DEFAULTS = {name: empty for name, (_, empty) in _COLUMN_TYPES.items()}
# Column of several values -> what parts them.
LIST_SEPARATORS = {
    **dict.fromkeys(("genres", "themes", "demographics", "tags", "studios"), ";"),
    "synonyms": "|",
}


_FIELDS: dict[str, Any] = {
    name: (Annotated[list[kind], FailFast()], ... if name in ("anime_id", "title") else [])  # type: ignore[valid-type]
    for name, (kind, _) in _COLUMN_TYPES.items()
}
_Columns = create_model("_Columns", **_FIELDS)
"""What a catalogue's file may hold. Older ones have fewer columns, newer ones perhaps more."""


@dataclass(frozen=True, slots=True)
class Anime:
    """What is known of one anime; None or empty where nobody knows.

    Of its series ``franchise_id``, it has the place ``watch_order``; ``is_extra`` is no way in, and
    ``is_inferred`` says that the title alone puts it there. It is the ``relation_kind`` ("sequel")
    of ``relation_id``. ``tvdb_id`` is that of the series that it is a season of. ``title`` is
    what it is called by, ``title_romaji`` the romanised one where that is another.
    """

    anime_id: int
    title: str
    title_english: str | None = None
    title_native: str | None = None
    synonyms: tuple[str, ...] = ()
    type: str | None = None
    episodes: int | None = None
    season: str | None = None
    year: int | None = None
    genres: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    demographics: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    studios: tuple[str, ...] = ()
    age_rating: AgeRating | None = None
    rating_inferred: bool = False
    mean: float | None = None
    members: int | None = None
    picture: str | None = None
    adult: bool = False
    franchise_id: int | None = None
    watch_order: int | None = None
    is_extra: bool = False
    is_inferred: bool = False
    relation_kind: RelationKind | None = None
    relation_id: int | None = None
    anilist_id: int | None = None
    kitsu_id: int | None = None
    tvdb_id: int | None = None
    source: str | None = None
    title_romaji: str | None = None

    @property
    def url(self) -> str:
        """The anime's page on MyAnimeList."""
        return f"{MAL_ANIME_URL}{self.anime_id}"

    def url_on(self, site: str | None) -> str:
        """Return its page on a site, or on MyAnimeList where that site has none."""
        numbers = {"anilist": self.anilist_id, "kitsu": self.kitsu_id, "shikimori": self.anime_id}
        number = numbers.get(site or "")
        return f"{SITE_ANIME_URLS[site]}{number}" if site and number else self.url

    def called(self, language: TitleLanguage) -> Anime:
        """Return it by its title in a language, where it has one."""
        found = getattr(self, _TITLE_COLUMNS[language])
        if not found or found == self.title:
            return self
        return replace(self, title=found, title_romaji=self.title)

    @property
    def other_title(self) -> str | None:
        """Another title, unless it is the same but for case, punctuation and a letter."""
        others = (self.title_romaji, self.title_english)
        return next((each for each in others if each and _is_another(each, self.title)), None)


class _Rows(dict[int, int]):
    """Rows by id; that of an unknown one is the last."""

    def __missing__(self, anime_id: int) -> int:
        return -1


class Catalogue:
    """All anime that Hakken knows by name, by MyAnimeList id.

    It holds more anime than the model: those nobody has rated yet have a name, too.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        count = len(columns["anime_id"])
        # Older files have fewer columns. The row of what is unknown is the last one, empty.
        self._columns = {
            name: [*(columns.get(name) or [empty] * count), empty]
            for name, empty in COLUMN_DEFAULTS.items()
        }
        self.has_tvdb_ids = any(self._columns["tvdb_id"])
        self._row_by_id = _Rows((anime_id, row) for row, anime_id in enumerate(columns["anime_id"]))
        self._series: dict[int, list[int]] = {}
        self._by_language = {TitleLanguage.ROMAJI: self}
        self._speak(TitleLanguage.ROMAJI)

    def _speak(self, language: TitleLanguage) -> None:
        self.language = language
        self._cached_anime = lru_cache(ANIME_CACHE_SIZE)(self._read_anime)

    def in_language(self, language: TitleLanguage) -> Catalogue:
        """Return the same catalogue, in which anime are called by their titles in a language."""
        if language not in self._by_language:
            other = copy(self)
            other._speak(language)
            self._by_language[language] = other
        return self._by_language[language]

    @classmethod
    def open(cls, path: Path) -> Catalogue:
        """Read the file that `serialize_catalogue` wrote.

        Raises ArtifactError: it is something else, or holds what no page could show.
        """
        try:
            packed = read_regular(path, MAX_PACKED_BYTES)
        except (OSError, TooLargeError, ValueError) as error:
            raise ArtifactError(f"{path}: not a catalogue ({error}).") from None
        return cls.parse(packed, path)

    @classmethod
    def parse(cls, packed: bytes, path: Path | str) -> Catalogue:
        """Read what `serialize_catalogue` made; ``path`` is what an error calls it."""
        try:
            read = _Columns.model_validate_json(decompress_gzip(packed, MAX_UNPACKED_BYTES))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ArtifactError(
                f"{path}: not a catalogue ({place}: {first['msg'].lower()})."
            ) from None
        except (OSError, TooLargeError, ValueError) as error:
            raise ArtifactError(f"{path}: not a catalogue ({error}).") from None
        columns = {name: getattr(read, name) for name in read.model_fields_set}
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1 or len(set(columns["anime_id"])) not in lengths:
            raise ArtifactError(
                f"{path}: not a catalogue (columns differ in length, or an anime is there twice)."
            )
        return cls(columns)

    def __len__(self) -> int:
        return len(self._row_by_id)

    def __contains__(self, anime_id: int) -> bool:
        return anime_id in self._row_by_id

    def anime_ids(self) -> list[int]:
        """Return the ids of all anime, in the order of the file."""
        return list(self._row_by_id)

    def get_anime(self, anime_id: int) -> Anime:
        """Everything known about an anime; one that is unknown is named by its id."""
        return self._cached_anime(anime_id)

    def _read_anime(self, anime_id: int) -> Anime:
        row = self._row_by_id.get(anime_id)
        if row is None:
            return Anime(anime_id, f"Anime {anime_id}")
        values = {name: column[row] for name, column in self._columns.items()}
        for name, separator in LIST_SEPARATORS.items():
            values[name] = tuple(values[name].split(separator)) if values[name] else ()
        if values["age_rating"]:
            values["age_rating"] = AgeRating(values["age_rating"])
        if values["picture"]:
            values["picture"] = expand_picture_url(values["picture"])
        return Anime(**values).called(self.language)

    def title(self, anime_id: int) -> str:
        """Return the title alone, for sentences."""
        row = self._row_by_id.get(anime_id)
        if row is None:
            return f"Anime {anime_id}"
        return str(self._columns[_TITLE_COLUMNS[self.language]][row] or self._columns["title"][row])

    def series(self, anime_id: int) -> list[int]:
        """Return the ids of an anime's series in the order of watching; none if it is alone."""
        if not self._series:
            names = ("franchise_id", "watch_order", "anime_id")
            series: dict[int, list[int]] = {}
            rows = zip(*(self._columns[name] for name in names), strict=True)
            for group, _, member in sorted(row for row in rows if None not in row):
                series.setdefault(group, []).append(member)
            self._series.update(series)  # of the catalogue in every language
        group = self.get_anime(anime_id).franchise_id
        return [] if group is None else self._series.get(group, [])

    def column_values(self, name: str, anime_ids: Iterable[int]) -> list[Any]:
        """One fact for many anime; the column's empty value where an anime is unknown."""
        rows = map(self._row_by_id.__getitem__, anime_ids)
        return list(map(self._columns[name].__getitem__, rows))

    def mal_ids_by_site_id(self, site: str) -> dict[int, int]:
        """Map ids of another site (``anilist`` or ``kitsu``) to MyAnimeList ids."""
        theirs, ours = self._columns[f"{site}_id"], self._columns["anime_id"]
        return {foreign: own for foreign, own in zip(theirs, ours, strict=True) if foreign}


def _is_another(title: str, shown: str) -> bool:
    known, told = (_NON_LETTERS.sub("", each.casefold()) for each in (shown, title))
    differing = Levenshtein.distance(known, told, score_cutoff=1)
    # A number is no spelling: "Season 2" and "Season 3" differ by a letter, too.
    same_numbers = _NUMBERS.findall(shown) == _NUMBERS.findall(title)
    return differing > 1 or (differing == 1 and not same_numbers)


def read_franchises(catalogue: Catalogue, anime_ids: Sequence[int]) -> Franchises:
    """Return what the catalogue has of the franchises of a model's anime (ascending ids)."""
    columns = ("franchise_id", "watch_order", "year", "is_extra", "relation_kind", "relation_id")
    groups, places, years, extras, kinds, related = (
        catalogue.column_values(name, anime_ids) for name in columns
    )
    position = {anime_id: at for at, anime_id in enumerate(anime_ids)}
    prequel = [
        position.get(other, -1) if kind == "sequel" else -1
        for kind, other in zip(kinds, related, strict=True)
    ]
    is_version = [kind == "alternative" for kind in kinds]
    continued = skip_extras(np.array(prequel, np.int64), np.array(extras, bool))
    waits_for = _waits_for_series(catalogue, anime_ids, position, continued)
    return Franchises.from_columns(groups, places, years, extras, continued, is_version, waits_for)


def _waits_for_series(
    catalogue: Catalogue,
    anime_ids: Sequence[int],
    position: Mapping[int, int],
    continued: Int64Array,
) -> Int64Array:
    """Positions (n,) of what nobody should see an anime before; -1 for nothing.

    That is what it continues, and for a film the series that it is a side story of: so the free
    sources call every film, also one that ends a series. Films that are known as well as the
    series, are for children, or are one of many of their series tell a story of their own.
    """
    names = ("type", "relation_kind", "relation_id", "franchise_id", "is_extra", "members")
    columns = [catalogue.column_values(name, anime_ids) for name in names]
    kinds, relations, related, groups, extras, members = columns
    for_children = [
        "Kids" in words.split(";") for words in catalogue.column_values("demographics", anime_ids)
    ]
    series_of: dict[int, int] = {}
    for at, (kind, relation, other) in enumerate(zip(kinds, relations, related, strict=True)):
        series = position.get(other, -1) if kind == "Movie" and relation == "side_story" else -1
        if series >= 0 and groups[at] == groups[series] and not (extras[at] or extras[series]):
            series_of[at] = series
    films = Counter(groups[at] for at in series_of)
    waits_for = continued.copy()
    for at, series in series_of.items():
        if (
            films[groups[at]] < MANY_FILMS
            and (members[at] or 0) < (members[series] or 0)
            and not (for_children[at] or for_children[series])
        ):
            waits_for[at] = series
    return waits_for


def serialize_catalogue(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Return the catalogue file for columns named as in `COLUMNS`; same columns, same bytes."""
    ordered = {name: list(columns[name]) for name in COLUMN_DEFAULTS}
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode(), 9, mtime=0)
