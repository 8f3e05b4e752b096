"""Which anime are one series: one story, as relations and titles tell it.

1. *Works.* A sequel belongs to what it continues. Where the titles share no word and neither is a
   TV series, it does not: anthologies whose films a catalogue numbers are no story.
2. *Side stories, summaries and alternative versions* join the one work that they lead to. What
   leads to several is a crossover and joins none, unless it shares a word with one alone. Two works
   with a TV series each are joined where one has the title of the other before a subtitle, season
   or year (Fullmetal Alchemist and Fullmetal Alchemist: Brotherhood), or where they share a word
   and each is so related to no third work. The Gundam or Precure series, all alternatives of the
   first, stay apart.
3. *Titles* join what has no such relation, and that is marked as inferred: a title that is equal
   but for season, year and medium, or one that begins with the whole title of one other work.
   A group that the table had before is a hint: two that differ forbid it, and titles that are
   short, or agree in part, need one in common.

Characters that visit, "other" and spin-offs never join.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model_build.data.relations import Relation
from model_build.data.title_stems import TitleStems, telling_words, title_stems

Words = tuple[str, ...]
LONG_SERIES_EPISODES = 24
"""What runs for so long is a work of its own, whatever its medium."""
MIN_STEM_LETTERS = 4
MIN_LONG_STEM_WORDS, MIN_LONG_STEM_LETTERS = 3, 12
"""A title that is so long is no coincidence at the beginning of another."""
LONG_WORD_LETTERS = 10
MAX_SUBTITLED_SERIES = 2
"""More TV series with one title before their subtitles are an umbrella, not one story."""
_JOINING_KINDS = {"summary", "side_story", "alternative"}
_HINTING_KINDS = {"watch_next", "related"}


@dataclass(frozen=True)
class SeriesItem:
    """What is known of one anime that says to which series it belongs, and where in it.

    ``date`` is a year with its season as a fraction, a guess unless it ``is_dated``; ``hint`` the
    group that the table had.
    """

    anime_id: int
    title: str
    title_english: str | None = None
    type: str = ""
    date: float = 0.0
    is_dated: bool = True
    episodes: int = 0
    hint: int | None = None

    @cached_property
    def stems(self) -> TitleStems:
        """The romanised title, taken apart."""
        return title_stems(self.title)

    @cached_property
    def all_stems(self) -> tuple[TitleStems, ...]:
        """The romanised and, where there is one, the English title, taken apart."""
        return (self.stems, *([title_stems(self.title_english)] if self.title_english else []))

    @cached_property
    def words(self) -> frozenset[str]:
        """What the titles can be told by."""
        return telling_words((self.title, self.title_english))

    @property
    def is_root(self) -> bool:
        """Whether it is a series of its own, and no film or special of another."""
        return self.type == "TV" or (
            self.type in {"ONA", "OVA"} and self.episodes >= LONG_SERIES_EPISODES
        )


@dataclass(frozen=True)
class SeriesGroups:
    """``group_id`` by anime, of all anime; one alone has a group to itself.

    ``inferred`` joined by their titles. ``crossovers`` lead to several works and belong to none;
    ``cut_pairs`` are the works, by their groups, that relations tie and that stay apart.
    """

    group_id: Mapping[int, int]
    inferred: frozenset[int]
    crossovers: frozenset[int]
    cut_pairs: frozenset[tuple[int, int]]


def group_series(items: Mapping[int, SeriesItem], relations: Iterable[Relation]) -> SeriesGroups:
    """Sort anime into series; same anime and relations, same groups."""
    known = sorted({r for r in relations if r.anime_id in items and r.related_id in items})
    grouping = _Grouping(items, known)
    grouping.join_sequels()
    grouping.join_equal_titles()
    grouping.join_roots()
    grouping.attach_side_works()
    grouping.join_beginnings()
    grouping.join_named_films()
    grouping.join_hinted()
    find = grouping.groups.find
    stated = {
        number
        for one, _, other in (*grouping.sequels, *grouping.links)
        if find(one) == find(other)
        for number in (one, other)
    }
    return SeriesGroups(
        {number: find(number) for number in items},
        frozenset(grouping.inferred - stated),
        frozenset(grouping.crossovers),
        frozenset(grouping.linked_pairs()),
    )


class _DisjointSets:
    """Disjoint sets of anime; each is named by its smallest id."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._parent = {number: number for number in numbers}
        self._members = {number: [number] for number in self._parent}

    def find(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.find(one), self.find(other)))
        if first != second:
            self._parent[second] = first
            self._members[first] += self._members.pop(second)

    def members(self, number: int) -> list[int]:
        return self._members[self.find(number)]

    def names(self) -> list[int]:
        return sorted(self._members)


class _Grouping:
    """The groups while they are made."""

    def __init__(self, items: Mapping[int, SeriesItem], relations: Sequence[Relation]) -> None:
        self.items = items
        self.groups = _DisjointSets(sorted(items))
        self.inferred: set[int] = set()
        self.crossovers: set[int] = set()
        self.sequels = [each for each in relations if each.kind == "sequel"]
        spin_offs = {
            frozenset((r.anime_id, r.related_id)) for r in relations if r.kind == "spin_off"
        }
        self.links = [
            each
            for each in relations
            if each.kind in _JOINING_KINDS
            and frozenset((each.anime_id, each.related_id)) not in spin_offs
        ]
        self.hinted: dict[int, set[int]] = defaultdict(set)
        for one, kind, other in relations:
            if kind in _HINTING_KINDS:
                self.hinted[one].add(other)
                self.hinted[other].add(one)

    # Relations ------------------------------------------------------------------------------

    def join_sequels(self) -> None:
        """Join what continues each other."""
        for later, _, earlier in self.sequels:
            one, other = self.items[later], self.items[earlier]
            if one.words & other.words or one.is_root or other.is_root:
                self.groups.join(later, earlier)

    def has_root(self, group: int) -> bool:
        return any(self.items[number].is_root for number in self.groups.members(group))

    def linked_pairs(self) -> set[tuple[int, int]]:
        """Return the pairs of groups that are tied by a relation and not joined."""
        find = self.groups.find
        pairs = ((find(one), find(other)) for one, _, other in (*self.links, *self.sequels))
        return {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}

    def join_roots(self) -> None:
        """Join works with a series of their own each that tell the same story."""
        for one, _, other in self.links:
            first, second = self.items[one], self.items[other]
            if self._are_roots(one, other) and _same_before_subtitle(first, second):
                self.groups.join(one, other)
        neighbours: dict[int, set[int]] = defaultdict(set)
        for group, other in self.linked_pairs():
            if self._are_roots(group, other):
                neighbours[group].add(other)
                neighbours[other].add(group)
        for one, _, other in self.links:
            pair = {self.groups.find(one), self.groups.find(other)}
            exclusive = all(neighbours.get(group) == pair - {group} for group in pair)
            if len(pair) > 1 and exclusive and self.items[one].words & self.items[other].words:
                self.groups.join(one, other)

    def _are_roots(self, one: int, other: int) -> bool:
        return self.has_root(one) and self.has_root(other)

    def attach_side_works(self) -> None:
        """Join films, specials and the like to the one work that they lead to, until all are."""
        changed = True
        while changed:
            links = self._links_by_group()
            rootless = [g for g in sorted(links) if not self.has_root(g)]
            attached = [self._attach_side_work(group, links[group]) for group in rootless]
            changed = any(attached)

    def _attach_side_work(self, group: int, links: Sequence[Relation]) -> bool:
        if group in self.crossovers or self.groups.find(group) != group:
            return False  # or joined by another of the same round
        led_to = self._works_led_to(group, links)
        roots = {each for each in led_to if self.has_root(each)}
        found = roots or led_to
        if len(roots) > 1:
            found = {each for each in roots if self._is_named_in(group, each)}
            if len(found) != 1:
                self.crossovers.add(group)
                return True
        for each in found:
            self.groups.join(group, each)
        return bool(found)

    def _works_led_to(self, group: int, links: Sequence[Relation]) -> set[int]:
        """Return the groups that one leads to: as a side of them, or by a word in common."""
        found = set()
        for child, _, parent in links:
            if self.groups.find(child) == self.groups.find(parent):
                continue
            own = self.groups.find(child) == group
            inside, outside = (child, parent) if own else (parent, child)
            other = self.groups.find(outside)
            shared = self.items[inside].words & self.items[outside].words
            if not shared and (
                not own or not self.has_root(other) or self._begins_elsewhere(child)
            ):
                continue
            if other not in self.crossovers:
                found.add(other)
        return found

    def _begins_elsewhere(self, number: int) -> bool:
        """Whether a title begins with two words or more that are the whole title of a series."""
        base = self.items[number].stems.base
        return any(base[:length] in self._root_titles for length in range(2, len(base) + 1))

    @cached_property
    def _root_titles(self) -> frozenset[Words]:
        return frozenset(item.stems.base for item in self.items.values() if item.is_root)

    def _links_by_group(self) -> dict[int, list[Relation]]:
        found: dict[int, list[Relation]] = defaultdict(list)
        for each in self.links:
            for group in {self.groups.find(each.anime_id), self.groups.find(each.related_id)}:
                found[group].append(each)
        return found

    def _is_named_in(self, group: int, other: int) -> bool:
        """Whether a title of one group has a word that a title of the other can be told by."""
        named = {word for member in self.groups.members(group) for word in self.items[member].words}
        return any(self.items[member].words & named for member in self.groups.members(other))

    # Titles ---------------------------------------------------------------------------------

    def join_equal_titles(self) -> None:
        """Join what has one title but for season, year and medium."""
        for language in (0, 1):
            named: dict[Words, dict[int, None]] = defaultdict(dict)
            for number, item in self.items.items():
                if self.groups.find(number) not in self.crossovers:
                    for stems in item.all_stems[language : language + 1]:
                        named[stems.base][number] = None
            for base, numbers in named.items():
                for number in numbers:
                    self._join_older(number, numbers, base)

    def _join_older(self, number: int, others: Iterable[int], base: Words) -> None:
        """Join the group of an anime to that of the first older one with the same title."""
        for other in others:
            if other >= number:
                return
            apart = self.groups.find(other) != self.groups.find(number)
            if apart and self._same_title(number, other, base):
                self.infer(number, other)
                return

    def _same_title(self, number: int, other: int, base: Words) -> bool:
        shared = self._shared_hint(number, other)
        if shared is not None:
            return shared
        one, two = self.items[number], self.items[other]
        # Catalogues tell works of one title apart by what is in brackets.
        marked = not self._plain_titles(number) & self._plain_titles(other)
        if not marked and not (one.is_root and two.is_root):
            return False
        by_romaji = base in (one.stems.base, two.stems.base)
        return _letters(base) >= MIN_STEM_LETTERS and (len(base) > 1 or (marked and by_romaji))

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

    def infer(self, number: int, other: int) -> None:
        """Join two groups by title: the smaller one, or the later, is marked."""
        sides = (self.groups.members(number), self.groups.members(other))
        joining = min(sides, key=lambda members: (len(members), -min(members)))
        self.inferred.update(joining)
        self.groups.join(number, other)

    def join_beginnings(self) -> None:
        """Join what begins with the whole title of another work, the longest that there is."""
        by_base: dict[Words, set[int]] = defaultdict(set)
        by_lead: dict[Words, set[int]] = defaultdict(set)
        for number, item in self.items.items():
            if self.groups.find(number) not in self.crossovers:
                for stems in item.all_stems:
                    by_base[stems.base].add(number)
                    by_lead[stems.lead].add(number)
        for number in sorted(self.items):
            group = self.groups.find(number)
            size = len(self.groups.members(group))
            if group in self.crossovers or (size > 1 and self.has_root(group)):
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
            if not item.is_root and self.groups.find(number) not in self.crossovers:
                films[item.stems.lead].append(number)
        for number, item in self.items.items():
            if not item.is_root or _letters(item.stems.lead) < MIN_STEM_LETTERS:
                continue
            found = {
                self.groups.find(film)
                for film in films.get(item.stems.lead, ())
                if self.has_root(film) and self._shared_hint(number, film) is not False
            } - {self.groups.find(number)}
            rest = item.words - set(item.stems.lead)
            if len(found) == 1 and any(
                self.items[other].is_root and self.items[other].words & rest
                for other in self.groups.members(min(found))
            ):
                self.infer(number, min(found))

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
            if group in self.crossovers or self.has_root(group):
                continue
            hinted = by_hint.get(item.hint, []) if item.hint is not None else []
            for tied in (self.hinted.get(number, ()), hinted):
                series = {g: n for n in sorted(tied) if self.has_root(g := self.groups.find(n))}
                if len(series) == 1 and self._share_word(number, *series.values()):
                    self.infer(number, *series.values())
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
        series = {g for g in self._hinted_groups(number) if self.has_root(g)}
        return sum(self._share_word(number, group) for group in series) > 1

    def _join_only(self, number: int, candidates: Iterable[int]) -> bool:
        """Join the one group that candidates belong to; where hints tell, that of the hint."""
        groups = {self.groups.find(each): each for each in candidates}
        groups.pop(self.groups.find(number), None)
        shared = {group: self._shared_hint(number, each) for group, each in groups.items()}
        agreeing = [group for group in groups if shared[group]]
        open_to = agreeing or [group for group in groups if shared[group] is None]
        if len(open_to) == 1:
            self.infer(number, open_to[0])
        return bool(groups)

    def _beginnings(
        self, number: int, by_base: Mapping[Words, set[int]], by_lead: Mapping[Words, set[int]]
    ) -> Iterator[set[int]]:
        """Yield the anime whose title one begins with, by falling length."""
        item = self.items[number]
        for stems in item.all_stems:
            for length in range(len(stems.base), 0, -1):
                beginning = stems.base[:length]
                found = {
                    other
                    for other in by_base.get(beginning, ())
                    if self.groups.find(other) != self.groups.find(number)
                    and self._is_beginning(number, other, beginning, stems)
                }
                if found:
                    yield found
            if _letters(stems.lead) >= 2 * MIN_STEM_LETTERS and len(by_lead[stems.lead]) > 1:
                alike = by_lead[stems.lead]
                if self._is_one_series(alike) or not item.is_root:
                    yield set(alike)

    def _is_beginning(self, number: int, other: int, beginning: Words, stems: TitleStems) -> bool:
        if beginning == stems.base and any(
            beginning == each.base for each in self.items[other].all_stems
        ):
            return self._same_title(number, other, beginning)
        shared = self._shared_hint(number, other)
        telling = telling_words((" ".join(beginning),))
        long = len(telling) >= MIN_LONG_STEM_WORDS and _letters(beginning) >= MIN_LONG_STEM_LETTERS
        if self.items[number].is_root:
            if self.groups.find(other) in self._hinted_groups(number):
                return True
            return (
                beginning == stems.lead
                and _letters(beginning) >= 2 * MIN_STEM_LETTERS
                and shared is not False
                and self._is_one_series(self._roots_beginning(beginning))
            )
        if beginning != stems.lead and not self._is_one_series(self._roots_beginning(beginning)):
            return False  # "Kidou Senshi Gundam" begins many a title
        if shared is not None:
            return shared and _letters(beginning) >= MIN_STEM_LETTERS
        return long or (beginning == stems.lead and _letters(beginning) >= MIN_STEM_LETTERS)

    def _roots_beginning(self, beginning: Words) -> set[int]:
        """Return the series whose titles begin with these words."""
        return self._roots_by_beginning.get(beginning, set())

    @cached_property
    def _roots_by_beginning(self) -> Mapping[Words, set[int]]:
        found: dict[Words, set[int]] = defaultdict(set)
        for number, item in self.items.items():
            if item.is_root:
                for stems in item.all_stems:
                    for length in range(1, len(stems.base) + 1):
                        found[stems.base[:length]].add(number)
        return found

    def _is_one_series(self, numbers: Iterable[int]) -> bool:
        return len({self.groups.find(number) for number in numbers}) <= MAX_SUBTITLED_SERIES


def _letters(words: Words) -> int:
    return sum(map(len, words))


def _same_before_subtitle(one: SeriesItem, other: SeriesItem) -> bool:
    """Whether one has the whole title of the other before a subtitle, season or year."""
    return any(
        first.base == second.base or first.base == second.lead or first.lead == second.base
        for first, second in zip(one.all_stems, other.all_stems, strict=False)
    )
