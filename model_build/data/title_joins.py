"""Joins series by titles, where no relation is known: the third rule of `series`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from model_build.data.relations import Relation
from model_build.data.series_draft import SeriesDraft
from model_build.data.title_stems import TitleStems, Words, numbered_parts, telling_words

MIN_STEM_LETTERS = 4
MIN_LONE_WORD_LETTERS = 6
"""A title of one word, shorter than that, is too common to join by."""
MIN_LONG_STEM_WORDS, MIN_LONG_STEM_LETTERS = 3, 12
"""A title that is so long is no coincidence at the beginning of another."""
MIN_NUMBERED_WORDS = 4
"""Films that have so many words before their numbers are parts of one work, if a hint agrees."""
LONG_WORD_LETTERS = 10
MAX_YEARS_APART = 15
"""Works of one common title that were made further apart are two, unless a hint ties them."""
MAX_SUBTITLED_SERIES = 2
"""More TV series with one title before their subtitles are an umbrella, not one story."""
MAX_SAME_TITLE = 200
"""A title that more have tells nothing; and to compare all of them would take forever."""
_HINTING_KINDS = {"watch_next", "related"}

SharingT = TypeVar("SharingT", bound=Collection[int])


class TitleJoins:
    """Joins the groups of a draft by titles; ``relations`` that say little serve as hints."""

    def __init__(self, draft: SeriesDraft, relations: Sequence[Relation]) -> None:
        self.draft, self.items, self.groups = draft, draft.items, draft.groups
        self.hinted: dict[int, set[int]] = defaultdict(set)
        self.watched_next = {(one, other) for other, kind, one in relations if kind == "watch_next"}
        for one, kind, other in relations:
            if kind in _HINTING_KINDS:
                self.hinted[one].add(other)
                self.hinted[other].add(one)

    def join_equal_titles(self) -> None:
        """Join what has one title but for season, year and medium."""
        for language in (0, 1):
            named: dict[Words, dict[int, None]] = defaultdict(dict)
            for number, item in self.items.items():
                if self.groups.find(number) not in self.draft.crossovers:
                    for stems in item.all_stems[language : language + 1]:
                        named[stems.base][number] = None
            for base, numbers in _telling(named).items():
                for number in numbers:
                    self._join_older(number, numbers, base)

    def _join_older(self, number: int, others: Iterable[int], base: Words) -> None:
        """Join the group of an anime to that of the first older one with the same title."""
        for other in others:
            if other >= number:
                return
            apart = self.groups.find(other) != self.groups.find(number)
            if apart and self._same_title(number, other, base):
                self.draft.infer(number, other)
                return

    def _same_title(self, number: int, other: int, base: Words) -> bool:
        shared = self._shared_hint(number, other)
        if shared is not None:
            return shared
        if self._differ_in_audience(number, other) or self._is_chance(number, other, base):
            return False
        one, two = self.items[number], self.items[other]
        # Catalogues tell works of one title apart by what is in brackets.
        marked = not self._plain_titles(number) & self._plain_titles(other)
        if not marked and not (one.is_root and two.is_root):
            return False
        if len(base) > 1:
            return _letters(base) >= MIN_STEM_LETTERS
        by_romaji = base in (one.stems.base, two.stems.base)
        return marked and by_romaji and _letters(base) >= MIN_LONE_WORD_LETTERS

    def _differ_in_audience(self, number: int, other: int) -> bool:
        """Whether one group is for adults only and the other is not, each for the most part."""
        one, two = (
            [self.items[member].is_adult for member in self.groups.members(each)]
            for each in (number, other)
        )
        return (2 * sum(one) > len(one)) != (2 * sum(two) > len(two))

    def _is_chance(self, number: int, other: int, title: Words) -> bool:
        """Whether two groups that nothing ties have one title by chance: long apart, and common.

        A series with a title of several words is told again after decades, as Cyborg 009 was. One
        word, or words that only a translation has in common, are anybody's.
        """
        pair = self.items[number], self.items[other]
        by_romaji = all(title in (each.stems.base, each.stems.lead) for each in pair)
        told_again = by_romaji and all(each.is_root for each in pair)
        if len(title) > 1 and (told_again or _is_long(title)):
            return False
        dates, others = (
            [item.date for m in self.groups.members(each) if (item := self.items[m]).is_dated]
            for each in (number, other)
        )
        years = [abs(date - further) for date in dates for further in others]
        return bool(years) and min(years) > MAX_YEARS_APART

    def _plain_titles(self, number: int) -> set[Words]:
        items = (self.items[member] for member in self.groups.members(number))
        return {stems.words for item in items for stems in item.all_stems}

    def _shared_hint(self, number: int, other: int) -> bool | None:
        """Whether two groups have a hint in common; None where one of them has none."""
        one, two = self._hints(number), self._hints(other)
        if self.groups.find(other) in self._hinted_groups(number):
            return True
        return bool(one & two) if one and two else None

    def _hints(self, number: int) -> set[int]:
        hints = (self.items[member].hint for member in self.groups.members(number))
        return {hint for hint in hints if hint is not None}

    def _hinted_groups(self, number: int) -> set[int]:
        """Return the groups that an order of watching, or an untyped relation, leads to."""
        return {
            self.groups.find(other)
            for member in self.groups.members(number)
            for other in self.hinted.get(member, ())
        }

    def join_beginnings(self) -> None:
        """Join what begins with the whole title of another work, the longest that there is."""
        by_base: dict[Words, set[int]] = defaultdict(set)
        by_lead: dict[Words, set[int]] = defaultdict(set)
        for number, item in self.items.items():
            if self.groups.find(number) not in self.draft.crossovers:
                for stems in item.all_stems:
                    by_base[stems.base].add(number)
                    by_lead[stems.lead].add(number)
        by_base, by_lead = _telling(by_base), _telling(by_lead)
        for number in sorted(self.items):
            group = self.groups.find(number)
            size = len(self.groups.members(group))
            if group in self.draft.crossovers or (size > 1 and self.draft.has_root(group)):
                continue
            if self._names_several(number):
                continue
            for candidates in self._beginnings(number, by_base, by_lead):
                if self._join_only(number, candidates):
                    break

    def join_named_films(self) -> None:
        """Join a series to the one that already has a film of its name.

        "Boruto: Naruto the Movie" is a film of Naruto, so "Boruto: Naruto Next Generations", which
        has Naruto in its title as well, belongs there, too.
        """
        films: dict[Words, list[int]] = defaultdict(list)
        for number, item in self.items.items():
            if not item.is_root and self.groups.find(number) not in self.draft.crossovers:
                films[item.stems.lead].append(number)
        films = _telling(films)
        for number, item in self.items.items():
            if not item.is_root or _letters(item.stems.lead) < MIN_STEM_LETTERS:
                continue
            found = {
                self.groups.find(film)
                for film in films.get(item.stems.lead, ())
                if self.draft.has_root(film)
                and self._shared_hint(number, film) is not False
                and not self._differ_in_audience(number, film)
            } - {self.groups.find(number)}
            rest = item.words - set(item.stems.lead)
            if len(found) == 1 and any(
                self.items[other].is_root and self.items[other].words & rest
                for other in self.groups.members(min(found))
            ):
                self.draft.infer(number, min(found))

    def join_numbered(self) -> None:
        """Join films that are parts of one work: "Arise - Border 1: Pain", "Arise - Border 2".

        Their titles are equal up to numbers that follow each other, and an order of watching ties
        them, or a hint where the title is long. Of two series that are known already neither joins.
        """
        parts: dict[tuple[Words, int], list[int]] = defaultdict(list)
        for number, item in self.items.items():
            if not item.is_root and self.groups.find(number) not in self.draft.crossovers:
                for title, part in numbered_parts(item.title):
                    parts[title, part].append(number)
        for (title, part), numbers in parts.items():
            for one in numbers:
                for other in parts.get((title, part + 1), ()):
                    if self._are_parts(one, other, title):
                        self.draft.infer(other, one)

    def _are_parts(self, one: int, other: int, title: Words) -> bool:
        if self.groups.find(one) == self.groups.find(other):
            return False
        if self.draft.has_root(one) and self.draft.has_root(other):
            return False
        if (one, other) in self.watched_next:
            return True
        return len(title) >= MIN_NUMBERED_WORDS and self._shared_hint(one, other) is True

    def join_hinted(self) -> None:
        """Join specials and shorts that share a word with the only series that they are tied to.

        That is the only one of their hint, or the only one of what is "related" to them. Films need
        a long word: they are seldom named as freely as mini anime are.
        """
        by_hint: dict[int, list[int]] = defaultdict(list)
        for number, item in self.items.items():
            if item.hint is not None and item.is_root:
                by_hint[item.hint].append(number)
        for number, item in self.items.items():
            group = self.groups.find(number)
            if group in self.draft.crossovers or self.draft.has_root(group):
                continue
            hinted = by_hint.get(item.hint, []) if item.hint is not None else []
            for tied in (self.hinted.get(number, ()), hinted):
                series = {
                    g: n for n in sorted(tied) if self.draft.has_root(g := self.groups.find(n))
                }
                if len(series) == 1 and self._share_word(number, *series.values()):
                    self.draft.infer(number, *series.values())
                    break

    def _share_word(self, number: int, other: int) -> bool:
        item, series = self.items[number], self.groups.members(other)
        shortest = LONG_WORD_LETTERS if item.type == "MOVIE" else MIN_STEM_LETTERS
        shared = item.words & {
            w for n in series if self.items[n].is_root for w in self.items[n].words
        }
        return any(len(word) >= shortest for word in shared)

    def _names_several(self, number: int) -> bool:
        """Whether a title shares words with several series that the anime is related to."""
        series = {g for g in self._hinted_groups(number) if self.draft.has_root(g)}
        return sum(self._share_word(number, group) for group in series) > 1

    def _join_only(self, number: int, candidates: Iterable[int]) -> bool:
        """Join the one group that candidates belong to; where hints tell, that of the hint."""
        groups = {self.groups.find(each): each for each in candidates}
        groups.pop(self.groups.find(number), None)
        shared = {group: self._shared_hint(number, each) for group, each in groups.items()}
        agreeing = [group for group in groups if shared[group]]
        open_to = agreeing or [
            group
            for group in groups
            if shared[group] is None and not self._differ_in_audience(number, group)
        ]
        if len(open_to) == 1:
            self.draft.infer(number, open_to[0])
        return bool(groups)

    def _beginnings(
        self, number: int, by_base: Mapping[Words, set[int]], by_lead: Mapping[Words, set[int]]
    ) -> Iterator[set[int]]:
        """Yield the anime whose title one begins with, by falling length."""
        item = self.items[number]
        for stems in item.all_stems:
            for length in range(len(stems.base), 0, -1):
                beginning = stems.base[:length]
                candidates = by_base.get(beginning, ())
                is_one_series = bool(candidates) and self._is_one_series(
                    self._roots_by_beginning.get(beginning, ())
                )
                found = {
                    other
                    for other in candidates
                    if self.groups.find(other) != self.groups.find(number)
                    and self._is_beginning(number, other, beginning, stems, is_one_series)
                }
                if found:
                    yield found
            alike = by_lead.get(stems.lead, set())
            long_enough = _letters(stems.lead) >= 2 * MIN_STEM_LETTERS and len(alike) > 1
            if long_enough and (self._is_one_series(alike) or not item.is_root):
                yield {n for n in alike if not self._is_chance(number, n, stems.lead)}

    def _is_beginning(
        self, number: int, other: int, beginning: Words, stems: TitleStems, is_one_series: bool
    ) -> bool:
        """Whether a title begins with that of another.

        ``is_one_series`` is whether no more series than one story has begin with it.
        """
        if beginning == stems.base and any(
            beginning == each.base for each in self.items[other].all_stems
        ):
            return self._same_title(number, other, beginning)
        is_lead = beginning == stems.lead
        if self.items[number].is_root:
            if self.groups.find(other) in self._hinted_groups(number):
                return True
            if not (is_lead and is_one_series and _letters(beginning) >= 2 * MIN_STEM_LETTERS):
                return False
            shared = self._shared_hint(number, other)
            return shared or (shared is None and len(beginning) > 1)
        if not is_lead and not is_one_series:
            return False  # "Kidou Senshi Gundam" begins many a title
        shared = self._shared_hint(number, other)
        if shared is not None:
            return shared and _letters(beginning) >= MIN_STEM_LETTERS
        if is_lead and _letters(beginning) >= MIN_STEM_LETTERS:
            return True
        return _is_long(beginning)

    @cached_property
    def _roots_by_beginning(self) -> Mapping[Words, set[int]]:
        """By the words that titles begin with: the series whose titles do."""
        found: dict[Words, set[int]] = defaultdict(set)
        for number, item in self.items.items():
            if item.is_root:
                for stems in item.all_stems:
                    for length in range(1, len(stems.base) + 1):
                        found[stems.base[:length]].add(number)
        return found

    def _is_one_series(self, numbers: Iterable[int]) -> bool:
        series: set[int] = set()
        for number in numbers:
            series.add(self.groups.find(number))
            if len(series) > MAX_SUBTITLED_SERIES:
                return False
        return True


def _telling(by_title: Mapping[Words, SharingT]) -> dict[Words, SharingT]:
    """Return the titles, with the anime that have them, that not too many have."""
    return {title: each for title, each in by_title.items() if len(each) <= MAX_SAME_TITLE}


def _is_long(words: Words) -> bool:
    """Whether it is no coincidence that two titles have so many words in common."""
    telling = telling_words((" ".join(words),))
    return len(telling) >= MIN_LONG_STEM_WORDS and _letters(words) >= MIN_LONG_STEM_LETTERS


def _letters(words: Words) -> int:
    return sum(map(len, words))
