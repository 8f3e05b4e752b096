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
   short, agree in part or are common and long apart need one in common; so does what is for
   adults only beside what is not. Films whose titles are equal up to numbers that follow each
   other are joined where an order of watching or a hint ties them.

Characters that visit, "other" and spin-offs never join.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model_build.data.relations import Relation
from model_build.data.series_draft import SeriesDraft, SeriesItem
from model_build.data.title_joins import TitleJoins
from model_build.data.title_stems import Words

_JOINING_KINDS = {"summary", "side_story", "alternative"}


@dataclass(frozen=True)
class SeriesGroups:
    """``group_id`` by anime, of all anime; one alone has a group to itself.

    ``inferred`` joined by their titles. ``crossovers`` lead to several works and belong to none.
    """

    group_id: Mapping[int, int]
    inferred: frozenset[int]
    crossovers: frozenset[int]


def group_series(items: Mapping[int, SeriesItem], relations: Iterable[Relation]) -> SeriesGroups:
    """Sort anime into series; same anime and relations, same groups."""
    known = sorted({r for r in relations if r.anime_id in items and r.related_id in items})
    draft = SeriesDraft(items)
    stated, titles = _RelationJoins(draft, known), TitleJoins(draft, known)
    stated.join_sequels()
    titles.join_equal_titles()
    stated.join_roots()
    stated.attach_side_works()
    titles.join_beginnings()
    titles.join_named_films()
    titles.join_hinted()
    titles.join_numbered()
    find = draft.groups.find
    return SeriesGroups(
        {number: find(number) for number in items},
        frozenset(draft.inferred.keys() - stated.joined()),
        frozenset(draft.crossovers),
    )


class _RelationJoins:
    """Joins the groups of a draft by what relations say."""

    def __init__(self, draft: SeriesDraft, relations: Sequence[Relation]) -> None:
        self.draft, self.items, self.groups = draft, draft.items, draft.groups
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

    def joined(self) -> set[int]:
        """Return the anime that a relation ties to others of their group.

        What joined by title together with them does not count.
        """
        pairs = [(one, other) for one, _, other in (*self.sequels, *self.links)]
        return {
            one
            for one, other in (*pairs, *((other, one) for one, other in pairs))
            if self.groups.find(one) == self.groups.find(other)
            and other not in self.draft.inferred.get(one, ())
        }

    def join_sequels(self) -> None:
        """Join what continues each other."""
        for later, _, earlier in self.sequels:
            one, other = self.items[later], self.items[earlier]
            if one.words & other.words or one.is_root or other.is_root:
                self.groups.join(later, earlier)

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
        return self.draft.has_root(one) and self.draft.has_root(other)

    def attach_side_works(self) -> None:
        """Join films, specials and the like to the one work that they lead to, until all are."""
        changed = True
        while changed:
            links = self._links_by_group()
            rootless = [g for g in sorted(links) if not self.draft.has_root(g)]
            attached = [self._attach_side_work(group, links[group]) for group in rootless]
            changed = any(attached)

    def _attach_side_work(self, group: int, links: Sequence[Relation]) -> bool:
        if group in self.draft.crossovers or self.groups.find(group) != group:
            return False  # or joined by another of the same round
        led_to = self._works_led_to(group, links)
        roots = {each for each in led_to if self.draft.has_root(each)}
        found = roots or led_to
        if len(roots) > 1:
            found = {each for each in roots if self._is_named_in(group, each)}
            if len(found) != 1:
                self.draft.crossovers.add(group)
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
                not own or not self.draft.has_root(other) or self._begins_elsewhere(child)
            ):
                continue
            if other not in self.draft.crossovers:
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


def _same_before_subtitle(one: SeriesItem, other: SeriesItem) -> bool:
    """Whether one has the whole title of the other before a subtitle, season or year."""
    return any(
        first.base == second.base or first.base == second.lead or first.lead == second.base
        for first, second in zip(one.all_stems, other.all_stems, strict=False)
    )
