"""A user's list, as the recommender takes it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int8Array, Int64Array


@dataclass(frozen=True, slots=True)
class EntryActivity:
    """What a user did about each entry beside listing it, for engines that learn from that.

    ``commented`` and ``reviewed`` (entries,) bool: a line or a review was written; ``hours``
    (entries,) float64 were spent on it.
    """

    commented: BoolArray
    reviewed: BoolArray
    hours: Float64Array

    @classmethod
    def none(cls, count: int) -> EntryActivity:
        """Nothing, of so many entries."""
        return cls(np.zeros(count, bool), np.zeros(count, bool), np.zeros(count))

    def select(self, rows: Int64Array | BoolArray) -> EntryActivity:
        """Select the entries at ``rows`` (r,)."""
        return EntryActivity(self.commented[rows], self.reviewed[rows], self.hours[rows])


@dataclass(frozen=True, slots=True)
class UserList:
    """A user's list as parallel arrays: ids int64, scores float64 (0 = none), status codes int8.

    An anime that stands there twice counts once, with its last entry. ``favourite`` bool and
    ``activity``, where the service gives them, are for some engines. A list is partial if it is
    known to be: some titles that somebody named, of more that were seen, or where ``is_sampled``
    some that were drawn from a longer list, to learn from or to measure on.
    """

    anime_id: Int64Array
    score: Float64Array
    status: Int8Array
    favourite: BoolArray | None = None
    activity: EntryActivity | None = None
    is_partial: bool = False
    is_sampled: bool = False

    @classmethod
    def from_entries(
        cls, entries: list[tuple[int, float | None, int]], *, is_partial: bool = False
    ) -> UserList:
        """From ``(anime_id, score or None, status)`` tuples."""
        last = {anime_id: (score or 0.0, status) for anime_id, score, status in entries}
        return cls(
            np.fromiter(last, np.int64, len(last)),
            np.array([score for score, _ in last.values()], np.float64),
            np.array([status for _, status in last.values()], np.int8),
            is_partial=is_partial,
        )

    def without(self, anime_ids: Collection[int]) -> UserList:
        """Return the list as it would be if these did not stand there."""
        kept = ~np.isin(self.anime_id, list(anime_ids))
        return UserList(
            self.anime_id[kept],
            self.score[kept],
            self.status[kept],
            None if self.favourite is None else self.favourite[kept],
            None if self.activity is None else self.activity.select(kept),
            self.is_partial,
            self.is_sampled,
        )

    def with_favourites(self, anime_ids: Collection[int]) -> UserList:
        """Return the same list, on which these are favourites."""
        if not anime_ids:
            return replace(self, favourite=None)
        return replace(self, favourite=np.isin(self.anime_id, list(anime_ids)))


@dataclass(frozen=True, slots=True)
class KnownEntries:
    """The entries whose anime the model knows, as they stand on the list, by ascending position."""

    position: Int64Array
    score: Float64Array
    status: Int8Array
    favourite: BoolArray
    activity: EntryActivity | None = None
