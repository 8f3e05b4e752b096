"""Which anime of a model have which words, ready for filters: an inverted index a facet.

A word is found by its slug (``slice-of-life``), so that spellings in addresses and on command lines
do not matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from itertools import chain

import numpy as np

from app.age_rating import ADULT_GENRES, CHILDREN, CHILDREN_CEILING, AgeRating
from app.catalogue import LIST_SEPARATORS, Catalogue
from app.recommender import Model
from app.recommender.array_types import BoolArray, Int32Array, Int64Array

GENRE_COLUMNS = ("genres", "themes", "demographics")
"""Columns whose words are one facet: nobody should have to know that Mecha is a theme."""
TYPE_NAMES = {"TV special": "Special"}
SEASON_NAMES = {name: name.capitalize() for name in ("winter", "spring", "summer", "fall")}
"""What words are called that the catalogue calls otherwise."""
FACETS = ("genre", "tag", "studio", "material", "season")
MIN_KNOWN_SHARE = 0.5
"""Of the list entries of all users, the share whose anime must be known for a facet to be offered:
a filter hides all others."""
CHILDREN_SHARE = 2 / 3
"""Of the titles on a child's list, how many at least are rated G or PG."""
UNKNOWN_LEVEL = -1
_WORDS = re.compile(r"[a-z0-9]+")


@lru_cache(4096)
def slugify(name: str) -> str:
    """Write ``slice-of-life`` for ``Slice of Life``."""
    if not name.isascii():
        plain = unicodedata.normalize("NFKD", name)
        name = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return "-".join(_WORDS.findall(name.casefold()))


@dataclass(frozen=True, slots=True)
class Facet:
    """The words of one kind, by slug, those of most anime first.

    ``indices[indptr[n]:indptr[n + 1]]`` are the positions of the anime that have the n-th word;
    ``group`` is the column that a word comes from; ``is_offered``: the facet is known of enough
    anime.
    """

    names: Mapping[str, str]
    groups: Mapping[str, str]
    indptr: Int32Array
    indices: Int32Array
    row: Mapping[str, int]
    item_count: int
    is_offered: bool

    @classmethod
    def from_columns(
        cls, columns: Mapping[str, Sequence[Sequence[str]]], entry_count: Int64Array
    ) -> Facet:
        """Index the words of n anime; ``entry_count`` (n,) are the lists that each is on."""
        n = len(entry_count)
        names: dict[str, str] = {}
        groups: dict[str, str] = {}
        number: dict[str, int] = {}  # of a word, by slug
        pairs = [np.empty(0, np.int64)]  # of a number and an anime, as one number
        for group, column in columns.items():
            words = list(chain.from_iterable(column))
            of_word: dict[str, int] = {}
            for word in dict.fromkeys(words):
                slug = slugify(word)
                names.setdefault(slug, word)
                groups.setdefault(slug, group)
                of_word[word] = number.setdefault(slug, len(number))
            numbers = np.fromiter(map(of_word.__getitem__, words), np.int64, len(words))
            lengths = np.fromiter(map(len, column), np.int64, n)
            pairs.append(numbers * n + np.repeat(np.arange(n), lengths))
        found = np.sort(np.concatenate(pairs))
        count = np.bincount(found // max(1, n), minlength=len(number)).tolist()
        nameless = number.pop("", -1)
        # An anime that has a word twice has it once.
        found = found[np.diff(found, prepend=-1) > 0]
        anime = (found % max(1, n)).astype(np.int32)
        ends = np.searchsorted(found, n * np.arange(len(count) + 1))
        slugs = sorted(number, key=lambda slug: (-count[number[slug]], slug))
        parts = [anime[ends[at] : ends[at + 1]] for at in map(number.__getitem__, slugs)]
        known = np.zeros(n, bool)
        known[anime[found // max(1, n) != nameless]] = True
        return cls(
            names={slug: names[slug] for slug in slugs},
            groups={slug: groups[slug] for slug in slugs},
            indptr=np.cumsum([0, *map(len, parts)], dtype=np.int32),
            indices=np.concatenate(parts) if parts else np.empty(0, np.int32),
            row={slug: at for at, slug in enumerate(slugs)},
            item_count=n,
            is_offered=bool(slugs) and _share(known, entry_count) >= MIN_KNOWN_SHARE,
        )

    def positions(self, slug: str) -> Int32Array:
        """Positions (p,) of the anime that have a word, ascending; raises KeyError."""
        at = self.row[slug]
        return self.indices[self.indptr[at] : self.indptr[at + 1]]

    def mask(self, *slugs: str) -> BoolArray:
        """Where an anime has any of these words, (n,). Raises KeyError: there is no such word."""
        mask = np.zeros(self.item_count, bool)
        for slug in slugs:
            mask[self.positions(slug)] = True
        return mask

    def counts(self, mask: BoolArray) -> dict[str, int]:
        """How many of the anime in ``mask`` (n,) have each word; words of none are left out."""
        if not self.row:
            return {}
        counts = np.add.reduceat(mask[self.indices], self.indptr[:-1], dtype=np.int64)
        return {slug: count for slug, count in zip(self.row, counts.tolist(), strict=True) if count}

    def suggest(self, slug: str) -> str | None:
        """Return the name of the word that was probably meant."""
        near = get_close_matches(slug, self.names, 1)
        return self.names[near[0]] if near else None


def adult_mask(catalogue: Catalogue, ids: Sequence[int]) -> BoolArray:
    """Whether each anime is for adults only, (len(ids),)."""
    flags, genres = catalogue.column_values("adult", ids), catalogue.column_values("genres", ids)
    # Few lists of genres are different.
    of_genres = {names: not ADULT_GENRES.isdisjoint(names.split(";")) for names in set(genres)}
    rows = zip(flags, genres, strict=True)
    return np.array([bool(flag) or of_genres[names] for flag, names in rows], bool)


class ItemFacets:
    """The facets of a model's anime; each is indexed when it is first asked for.

    ``rating_level`` (n,) is that of the age rating, `UNKNOWN_LEVEL` where there is none.
    """

    def __init__(self, model: Model, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._ids = model.anime_id.tolist()
        self._entry_count = np.asarray(model.entry_count, np.int64)
        levels = {rating.value: rating.level for rating in AgeRating}
        ratings = catalogue.column_values("age_rating", self._ids)
        self.rating_level: Int32Array = np.array(
            [levels.get(rating, UNKNOWN_LEVEL) for rating in ratings], np.int32
        )

    @cached_property
    def genre(self) -> Facet:
        """Genres, themes and demographics."""
        return Facet.from_columns(
            {name: self._words(name, {}) for name in GENRE_COLUMNS}, self._entry_count
        )

    @cached_property
    def tag(self) -> Facet:
        """AniList's tags."""
        return self._facet("tags")

    @cached_property
    def studio(self) -> Facet:
        """The studios that made an anime."""
        return self._facet("studios")

    @cached_property
    def material(self) -> Facet:
        """What an anime was made from: a manga, a game, nothing."""
        return self._facet("source")

    @cached_property
    def season(self) -> Facet:
        """The season in which an anime began."""
        return self._facet("season", SEASON_NAMES)

    @cached_property
    def media_type(self) -> Facet:
        """TV, film and so on."""
        return self._facet("type", TYPE_NAMES)

    def prepare(self) -> None:
        """Index all facets now, so that no visitor waits and processes share them."""
        for name in (*FACETS, "media_type"):
            getattr(self, name)

    def offered_words(self) -> dict[str, tuple[str, ...]]:
        """Return the slugs of every facet that is offered, by its name."""
        facets = {name: getattr(self, name) for name in FACETS}
        return {name: tuple(facet.names) for name, facet in facets.items() if facet.is_offered}

    @property
    def has_ratings(self) -> bool:
        """Whether age ratings are known of enough anime to be asked for."""
        return self.is_offered(self.rating_level > UNKNOWN_LEVEL)

    def is_offered(self, known: BoolArray) -> bool:
        """Whether what is known of the anime in ``known`` (n,) can be asked for."""
        return _share(known, self._entry_count) >= MIN_KNOWN_SHARE

    def rated_up_to(self, ceiling: AgeRating) -> BoolArray:
        """Where an anime is known to be rated no higher, (n,)."""
        return (self.rating_level > UNKNOWN_LEVEL) & (self.rating_level <= ceiling.level)

    def is_childrens_list(self, listed: Int64Array) -> bool:
        """Tell whether a list is a child's, by the ratings of the anime at positions (p,).

        None is above PG-13, and at least two in three are G or PG. (One title that is taken for
        PG-13 by mistake should not open the door to R.)
        """
        level = self.rating_level[listed]
        level = level[level > UNKNOWN_LEVEL]
        if not len(level) or level.max() > CHILDREN_CEILING.level:
            return False
        return bool(np.mean(level <= CHILDREN.level) >= CHILDREN_SHARE)

    def _facet(self, column: str, names: Mapping[str, str] | None = None) -> Facet:
        return Facet.from_columns({column: self._words(column, names or {})}, self._entry_count)

    def _words(self, column: str, names: Mapping[str, str]) -> list[tuple[str, ...]]:
        separator = LIST_SEPARATORS.get(column)
        texts = self._catalogue.column_values(column, self._ids)
        words: dict[str | None, tuple[str, ...]] = {}  # many anime have the same text
        for text in set(texts):
            parts = (text.split(separator) if separator else [text]) if text else []
            words[text] = tuple(names.get(word, word) for word in parts)
        return [words[text] for text in texts]


def _share(known: BoolArray, entry_count: Int64Array) -> float:
    """Return the share of the list entries that are of known anime."""
    total = int(entry_count.sum())
    return float(entry_count[known].sum() / total) if total else 0.0
