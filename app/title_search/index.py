"""The names of a catalogue, ready to be searched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, islice, takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from app.catalogue import LIST_SEPARATORS, Catalogue
from app.title_search.abbreviations import abbreviate, name_series
from app.title_search.kana import (
    CLEAR_CONSONANTS,
    MIN_CONSONANTS,
    kana_consonants,
    latin_consonants,
    latin_sounds,
    romanise_kana,
    sound_likeness,
)
from app.title_search.kept_tables import keep_tables
from app.title_search.names import NameTable
from app.title_search.normalize import drop_article, normalize_names
from app.title_search.typos import TrigramIndex

MAX_QUERY_LENGTH = 100
"""Letters of a search that are read."""
ABBREVIATED_ANIME, SPOKEN_ANIME = 3000, 2000
"""So many of the best known are also found by abbreviations, and by how kana spell their titles."""
MAX_SOUNDING = 200
"""Anime with the consonants of a search whose vowels are compared, the best known."""
ENOUGH = 3
"""When so many anime have what was typed in their names, none that is only alike is looked for."""
ALIKE, CLOSE = 72.0, 88.0
"""How alike names must be, of 100: where nothing has what was typed, and beside what has it."""
# A title known to ten times as many fans makes up for this much likeness.
_POPULARITY_WEIGHT = 3.0
# And of kana, which tell so much less, for this much.
_SPOKEN_WEIGHT = 9.0
_NUMBERED_SEASON = re.compile(rb"^(.+ [0-9]+) season$")
_ANY_SEASON = re.compile(rb"^(.+?) (?:[0-9]+(?: season)?|final season)$")
_NO_NAMES = NameTable.from_names([])
_TABLES = ("titles", "synonyms", "abbreviations", "consonants")
_WITH_TRIGRAMS = ("titles", "synonyms")
_PARTS = {
    *(f"{name}_{part}" for name in _TABLES for part in ("text", "places")),
    *(f"{name}_{part}" for name in _WITH_TRIGRAMS for part in ("rows", "count")),
}
_TITLE_COLUMNS = ("title", "title_english", "title_native")


class TitleIndex:
    """Titles, English and native titles and synonyms of anime, and abbreviations made of them.

    Its tables know an anime by its place among all, the one with most members first.
    """

    def __init__(self, catalogue: Catalogue, anime_ids: Iterable[int]) -> None:
        ids = list(anime_ids)
        members = np.array([count or 0 for count in catalogue.column_values("members", ids)], float)
        order = np.lexsort((np.array(ids, np.int64), -members))
        self._ids = [ids[at] for at in order.tolist()]
        self._popularity = np.log10(members[order] + 1)

        columns = [catalogue.column_values(name, self._ids) for name in _TITLE_COLUMNS]
        columns[1] = [e if e != r else None for r, e in zip(*columns[:2], strict=True)]
        texts = catalogue.column_values("synonyms", self._ids)
        synonyms = [text.split(LIST_SEPARATORS["synonyms"]) if text else () for text in texts]
        tables = keep_tables(
            chain(*columns, texts, LIST_SEPARATORS["synonyms"]),
            lambda: _make_tables(len(ids), columns, synonyms),
            _PARTS,
        )
        self._titles, self._synonyms, self._abbreviations, self._consonants = (
            NameTable(tables[f"{name}_text"].tobytes(), tables[f"{name}_places"])
            for name in _TABLES
        )
        self._trigrams = [
            TrigramIndex(table, tables[f"{name}_rows"], tables[f"{name}_count"])
            for name, table in zip(_WITH_TRIGRAMS, (self._titles, self._synonyms), strict=True)
        ]

    def search(self, query: str, limit: int) -> list[int]:
        """Ids of the anime that are meant, the likeliest first.

        First come those whose title is what was typed, then those with such a synonym, behind
        better known titles that go on after these words; then all that begins so, and
        abbreviations; then what has it within, then what has all its words; at last, unless that
        is `ENOUGH`, the series whose season was typed, and what is alike. Among equals the better
        known is first. Kana are looked for as they are read, too.
        """
        (name,) = map(drop_article, normalize_names([query[:MAX_QUERY_LENGTH]]))
        found: dict[int, None] = {}
        for place in self._matches(name) if name else ():
            found[place] = None
            if len(found) == limit:
                break
        return [self._ids[place] for place in found]

    def namesakes(self, names: Iterable[str]) -> list[tuple[list[int], list[int]]]:
        """Return for each name the ids of all anime that it is a title of, then a synonym."""
        written = list(names)
        plain = [drop_article(name) for name in normalize_names(written)[: len(written)]]
        wanted = frozenset(filter(None, plain))
        tables = [table.places_by_name(wanted) for table in (self._titles, self._synonyms)]
        titles, synonyms = (
            {name: [self._ids[place] for place in places] for name, places in table.items()}
            for table in tables
        )
        return [(titles.get(name, []), synonyms.get(name, [])) for name in plain]

    def _matches(self, name: bytes) -> Iterator[int]:
        """Yield places of anime, the likeliest first, some more than once."""
        # The second season of one is "2nd Season", that of another "II".
        names = [name, *_NUMBERED_SEASON.findall(name)]
        # "Movie 1" is the first, then it may become the tenth; "8" alone is how 86 begins.
        looks: list[tuple[bytes, tuple[bool, ...]]] = [(name, (False,))]
        looks += [(number, (True,)) for number in names[1:]]
        if b" " in name and name[-1:].isdigit():
            looks = [(name, (True, False))]
        # "Naruto" is read in ナルト, and is what one is called before others begin so.
        (reading,) = map(drop_article, normalize_names([romanise_kana(name.decode())]))
        if reading:
            looks.append((reading, (False,)))
        stages: Iterable[Iterable[Iterable[int]]] = zip(
            *(self._stages(*look) for look in looks), strict=True
        )
        found: set[int] = set()
        if reading and len(kana_consonants(name.decode())) >= CLEAR_CONSONANTS:
            # Some native titles hold it, those of others do not stand in the catalogue.
            stages = chain(stages, [[self._sounding(name, reading)]])
        for place in chain.from_iterable(chain.from_iterable(stages)):
            found.add(place)
            yield place
        if len(found) >= ENOUGH:
            return
        for stage in self._last_stages(name, names[-1], reading, CLOSE if found else ALIKE):
            for place in stage:
                found.add(place)
                yield place
            if len(found) >= ENOUGH:
                return

    def _last_stages(
        self, name: bytes, plain: bytes, reading: bytes, minimum: float
    ) -> Iterator[Iterable[int]]:
        """Yield what is looked for where little was found, the likelier first.

        ``plain`` is without the word "season", in which names of others are like it; ``reading`` is
        that of kana, or empty.
        """
        if reading:
            yield self._sounding(name, reading)
            yield self._alike(reading, CLOSE)
        if not name.isascii():
            # Japanese has no blanks between words.
            yield merge(self._titles.with_letters(name), self._synonyms.with_letters(name))
        if series := _ANY_SEASON.match(name):
            # A season may have no number but a name, as those of Demon Slayer have.
            yield self._series(series[1])
        yield self._alike(plain, minimum)

    def _stages(self, name: bytes, ends: Sequence[bool]) -> tuple[Iterator[int], ...]:
        """Return what is called as was typed, what begins so, and what has it anywhere.

        Where one of ``ends`` is True, its last word is whole; else names may go on within it.
        """
        tables = (self._titles, self._synonyms, self._abbreviations)
        # One look at each table spares three where there is nothing.
        titles, synonyms, short = (table if table.holds(name) else _NO_NAMES for table in tables)
        # "Demon Slayer" is the title of one as far as fans say it, and a synonym of another.
        best_synonym = next(synonyms.equal_to(name), 0)
        better_known = takewhile(best_synonym.__gt__, titles.beginning_with(name + b" "))
        called = chain(titles.equal_to(name), better_known, synonyms.equal_to(name))
        real, words = (titles, synonyms), name.split()
        begun = chain.from_iterable(
            merge(
                *(table.beginning_with(name, is_whole=end) for table in real), short.equal_to(name)
            )
            for end in ends
        )
        possible = chain.from_iterable(
            chain(
                merge(*(table.with_phrase(name, is_whole=end) for table in real)),
                merge(*(table.with_words(words, is_whole=end) for table in tables)),
                short.beginning_with(name, is_whole=end),
            )
            for end in ends
        )
        return called, begun, possible

    def _series(self, name: bytes) -> Iterator[int]:
        """Yield what is called so, or begins with these words."""
        called, begun, _ = self._stages(name, (True,))
        yield from chain(called, begun)
        yield from self._abbreviations.beginning_with(name, is_whole=True)

    def _sounding(self, name: bytes, reading: bytes) -> list[int]:
        """Return places of anime that a name in kana may be read as, by consonants, then vowels."""
        consonants = kana_consonants(name.decode())
        if len(consonants) < MIN_CONSONANTS:
            return []
        sound = latin_sounds([reading])[0][0]
        total: dict[int, float] = {}
        alike = (self._consonants.equal_to(consonants), self._consonants.beginning_with(consonants))
        for place in chain(*(islice(places, MAX_SOUNDING) for places in alike)):
            if place not in total:
                likeness = sound_likeness(sound, consonants, self._titles.names_of(place))
                total[place] = likeness + _SPOKEN_WEIGHT * self._popularity[place]
        return sorted(total, key=lambda place: (-total[place], place))

    def _alike(self, name: bytes, minimum: float) -> list[int]:
        """Return places of anime with a name like the search, typos forgiven."""
        best: dict[int, float] = {}
        for index in self._trigrams:
            for place, similarity in index.alike(name, minimum):
                total = similarity + _POPULARITY_WEIGHT * self._popularity[place]
                best[place] = max(total, best.get(place, 0.0))
        return sorted(best, key=lambda place: (-best[place], place))


def _make_tables(
    count: int, columns: Sequence[Sequence[str | None]], synonyms: Sequence[Sequence[str]]
) -> dict[str, npt.NDArray[Any]]:
    """Make what an index of ``count`` anime is made of: what a `NameTable` and its trigrams hold.

    ``columns`` are their romanised, English and native titles.
    """
    names = iter(normalize_names(chain(*columns, *synonyms)))
    by_anime = list(zip(*(list(islice(names, count)) for _ in columns), strict=True))
    others = [list(islice(names, len(written))) for written in synonyms]
    spoken = latin_consonants([name for names in by_anime[:SPOKEN_ANIME] for name in names[:2]])
    best_known = list(zip(by_anime[:ABBREVIATED_ANIME], others, strict=False))
    series = name_series(best_known)
    pairs = zip(spoken[::2], spoken[1::2], strict=True)
    found: tuple[Iterable[Iterable[bytes]], ...] = (
        by_anime,
        others,
        (abbreviate(*anime, series) for anime in best_known),
        (chain(*pair) for pair in pairs),
    )
    made: dict[str, npt.NDArray[Any]] = {}
    for name, names_by_anime in zip(_TABLES, found, strict=True):
        table = NameTable.from_names(names_by_anime)
        made |= {f"{name}_text": table.text(), f"{name}_places": table.places}
        if name in _WITH_TRIGRAMS:
            rows, counts = TrigramIndex.count_trigrams(table)
            made |= {f"{name}_rows": rows, f"{name}_count": counts}
    return made
