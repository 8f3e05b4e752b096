"""The anime that series are made of, and the series while they are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from model_build.data.title_stems import TitleStems, telling_words, title_stems

LONG_SERIES_EPISODES = 24
"""What runs for so long is a work of its own, whatever its medium."""


@dataclass(frozen=True)
class SeriesItem:
    """What is known of one anime that says to which series it belongs, and where in it.

    ``date`` is a year with its season as a fraction, a guess unless it ``is_dated``; ``hint`` the
    group that the table had; ``is_adult`` whether it is pornographic.
    """

    anime_id: int
    title: str
    title_english: str | None = None
    type: str = ""
    date: float = 0.0
    is_dated: bool = True
    episodes: int = 0
    hint: int | None = None
    is_adult: bool = False

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


class DisjointSets:
    """Disjoint sets of anime; each is named by its smallest id."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._parent = {number: number for number in numbers}
        self._members = {number: [number] for number in self._parent}

    def find(self, number: int) -> int:
        """Return the name of an anime's set."""
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make one set of those of two anime."""
        first, second = sorted((self.find(one), self.find(other)))
        if first != second:
            self._parent[second] = first
            self._members[first] += self._members.pop(second)

    def members(self, number: int) -> list[int]:
        """Return the anime of the same set."""
        return self._members[self.find(number)]


class SeriesDraft:
    """The groups while they are made.

    ``inferred`` joined by title, each with what joined together with it; ``crossovers`` stay apart.
    """

    def __init__(self, items: Mapping[int, SeriesItem]) -> None:
        self.items = items
        self.groups = DisjointSets(sorted(items))
        self.inferred: dict[int, frozenset[int]] = {}
        self.crossovers: set[int] = set()

    def has_root(self, number: int) -> bool:
        """Whether there is a series in the group of an anime."""
        return any(self.items[member].is_root for member in self.groups.members(number))

    def infer(self, number: int, other: int) -> None:
        """Join two groups by title: the smaller one, or the later, is marked."""
        sides = (self.groups.members(number), self.groups.members(other))
        joining = min(sides, key=lambda members: (len(members), -min(members)))
        self.inferred |= dict.fromkeys(joining, frozenset(joining))
        self.groups.join(number, other)
