"""Franchises: where to begin one, what comes next, and how to keep one from filling the page.

Which anime are one series, and in which order, was found out when the catalogue was made
(`docs/catalogue.md`); here it is only read. The number of lists that an anime is on corrects that
order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from app.recommender import kernels
from app.recommender.array_types import BoolArray, Int32Array, Int64Array
from app.recommender.parameters import FranchiseShares


@dataclass(frozen=True)
class Franchises:
    """Groups over the n anime of a model.

    ``franchise_id`` (n,) numbers them from 0, and is -1 where unknown; ``is_extra`` (n,) bool marks
    what is no entry point; ``watch_order`` are all positions with a group, group by group, each in
    the order in which it would be watched; ``prequel`` (n,) is the position of what an anime
    directly continues, or -1; ``is_version`` (n,) bool marks other versions of what is in the
    franchise already; ``waits_for`` (n,) is what nobody should see an anime before, or -1: what it
    continues, or the series that a film goes on with though it is not said to be a sequel.
    """

    franchise_id: Int64Array
    is_extra: BoolArray
    watch_order: Int64Array
    prequel: Int64Array
    is_version: BoolArray
    waits_for: Int64Array

    @classmethod
    def from_columns(
        cls,
        franchise_id: Sequence[int | None],
        place: Sequence[int | None],
        year: Sequence[int | None],
        is_extra: Sequence[bool],
        prequel: Sequence[int] | Int64Array,
        is_version: Sequence[bool],
        waits_for: Int64Array | None = None,
    ) -> Self:
        """From the catalogue's columns (n,), parallel to the model's anime (ascending ids).

        ``place`` is the place in the order of watching. Where a catalogue has none, as older ones,
        years decide, and where these are missing numbers.
        """
        groups = np.array([-1 if group is None else group for group in franchise_id], np.int64)
        places = np.array([0 if at is None else at for at in place], np.int64)
        years = np.array([np.inf if at is None else at for at in year], np.float64)
        rank = np.empty(len(groups), np.int64)
        rank[np.lexsort((years, places))] = np.arange(len(groups))
        flags = np.array(is_extra, bool), np.array(is_version, bool)
        return cls.from_places(
            groups, rank, flags[0], np.array(prequel, np.int64), flags[1], waits_for
        )

    @classmethod
    def from_places(
        cls,
        franchise_id: Int32Array | Int64Array,
        place: Int32Array | Int64Array,
        is_extra: BoolArray,
        prequel: Int32Array | Int64Array,
        is_version: BoolArray,
        waits_for: Int64Array | None = None,
    ) -> Self:
        """From arrays (n,): ``place`` is the place in the order of watching; ties by anime id.

        ``franchise_id`` has any numbers, and -1 where unknown. Without ``waits_for`` an anime waits
        for what it continues.
        """
        number = np.unique(franchise_id, return_inverse=True)[1] - (franchise_id < 0).any()
        order = np.lexsort((place, number))
        continued = prequel.astype(np.int64)
        waits = continued if waits_for is None else waits_for
        places = order[number[order] >= 0]
        return cls(number, is_extra, places, continued, is_version, waits)

    @cached_property
    def first(self) -> Int64Array:
        """Where each begins, (franchises + 1,): g is ``watch_order[first[g]:first[g + 1]]``."""
        numbers = np.arange(self.franchise_id.max(initial=-1) + 2)
        return np.searchsorted(self.franchise_id[self.watch_order], numbers)

    @cached_property
    def watch_place(self) -> Int64Array:
        """Where each anime stands in ``watch_order``, (n,), -1 for nowhere."""
        place = np.full(len(self.franchise_id), -1, np.int64)
        place[self.watch_order] = np.arange(len(self.watch_order))
        return place

    @cached_property
    def series_number(self) -> Int64Array:
        """The number of its series, (n,): as of its franchise; each without one has its own < 0."""
        alone = self.franchise_id < 0
        return np.where(alone, -1 - np.arange(len(alone)), self.franchise_id)

    def same_franchise_mask(self, positions: Int64Array) -> BoolArray:
        """Where an anime belongs to a franchise that one of the positions is of, (n,) bool."""
        franchise_mask = np.zeros(self.franchise_id.max(initial=-1) + 2, bool)
        franchise_mask[self.franchise_id[positions]] = True
        franchise_mask[-1] = False  # where -1, unknown, points to
        return franchise_mask[self.franchise_id]

    def dropped_franchises(self, dropped: Int64Array, seen: Int64Array) -> BoolArray:
        """Where a franchise was dropped and nothing else of it was seen, (n,) bool.

        Nobody wants the second season of what they did not finish; but who dropped a side story
        and saw the series may go on. With disliked and liked anime for dropped and seen ones the
        same is true.
        """
        finished = np.zeros(len(self.franchise_id), bool)
        finished[seen] = True
        finished[dropped] = False
        return self.same_franchise_mask(dropped) & ~self.same_franchise_mask(
            np.flatnonzero(finished)
        )

    def followed(self, targets: Int64Array, seen: Int64Array, liked: Int64Array) -> Int64Array:
        """Return for each target (t,) the position of what it comes next after, -1 for none.

        That is what the target continues, if it was seen, else the last anime before it, extras
        apart, that was; and only if that one was liked.
        """
        is_seen, is_liked = (np.zeros(len(self.franchise_id) + 1, bool) for _ in range(2))
        is_seen[seen] = is_liked[liked] = True
        is_seen[-1] = is_liked[-1] = False  # where -1, none, points to
        found = np.full(len(targets), -1, np.int64)
        for at, target in enumerate(targets.tolist()):
            before = int(self.prequel[target])
            if not is_seen[before]:
                before = self._last_before(int(self.watch_place[target]), is_seen)
            if is_liked[before]:
                found[at] = before
        return found

    def _last_before(self, place: int, is_seen: BoolArray) -> int:
        """Return the last seen anime, no extra, before a place of the order; -1 for none."""
        while place > 0:
            at, place = self.watch_order[place], place - 1
            before = int(self.watch_order[place])
            if self.franchise_id[before] != self.franchise_id[at]:
                break
            if is_seen[before] and not self.is_extra[before]:
                return before
        return -1


def skip_extras(prequel: Int64Array, is_extra: BoolArray) -> Int64Array:
    """Positions (n,) of what anime continue, where a sequel of an extra continues what that does.

    ``prequel`` (n,) is -1 where an anime continues nothing, and so is what only extras come before.
    """
    is_extra = np.append(is_extra, False)  # where -1, none, points to
    for _ in range(len(prequel)):  # a damaged catalogue may go round in a circle
        through = is_extra[prequel]
        if not through.any():
            break
        prequel = np.where(through, prequel[prequel], prequel)
    return np.where(is_extra[prequel], -1, prequel)


@dataclass(frozen=True, slots=True)
class CollapsedFranchises:
    """``allowed`` (n,) with one anime a franchise left; ``hidden_count`` (n,) it stands for."""

    allowed: BoolArray
    hidden_count: Int64Array


def collapse_franchises(
    franchises: Franchises,
    entry_count: Int32Array,
    shares: FranchiseShares,
    allowed: BoolArray,
    seen: Int64Array,
    planned: Int64Array,
    *,
    include_extras: bool = False,
) -> CollapsedFranchises:
    """Leave of every franchise its entry point or next part; ``entry_count`` (n,) counts lists.

    The next part is what continues something seen, the first such in order, or what comes between
    the two, if it is no other version and on ``shares.between`` as many lists. Where nothing
    continues what was seen, it is what stands after the last seen part, no other version, if that
    is on ``shares.entry_point`` as many lists as what was passed over, or that on fewer than
    ``shares.between`` times as many as the last: who has seen all seasons is not sent back to a
    recap before the finale. Else it is the first unseen among those on at least
    ``shares.entry_point`` as many lists as the most listed unseen: fewer users see a sequel than
    what it follows, so where the order errs, a film or a side story does not pass for the
    beginning. What it waits for comes before it, though, if that is unseen and on at least
    ``shares.prequel`` as many lists: the old beginning of a story stays its beginning. Extras of a
    franchise that the user knows are left out unless asked for. Where the entry point is
    ``planned``, and so not shown, nothing of the franchise is; nor where what that one waits for
    may not be shown: who looks for films of this year has not seen the series.
    """
    allowed = allowed.copy()
    if not include_extras:
        allowed &= ~(franchises.is_extra & franchises.same_franchise_mask(seen))
    unseen = allowed.copy()
    unseen[planned] = True
    is_seen = np.zeros(len(allowed), bool)
    is_seen[seen] = True
    collapsed, hidden_count = kernels.franchise_entry_points(
        franchises.watch_order,
        franchises.first,
        franchises.franchise_id,
        franchises.is_extra,
        franchises.prequel,
        franchises.waits_for,
        entry_count,
        is_seen,
        unseen,
        unseen & ~franchises.is_version,
        allowed,
        *shares,
    )
    return CollapsedFranchises(collapsed, hidden_count)


def way_through(
    franchises: Franchises,
    entry_count: Int32Array,
    shares: FranchiseShares,
    order: Int64Array,
    seen: Int64Array,
) -> tuple[int, int]:
    """Return where a fan begins a franchise and what comes after ``seen``; -1 for nothing.

    ``order`` (m,) are its positions as they are watched; ``seen`` are of it, too. Both are found as
    `collapse_franchises` finds them for a fan of nothing and for one who has seen just these, and
    neither is an extra.
    """
    fit = np.zeros(len(entry_count), bool)
    fit[order] = True
    fit &= ~franchises.is_extra
    start = kernels.franchise_beginning(
        *(order, 0, franchises.waits_for, entry_count, fit, fit, shares.entry_point, shares.prequel)
    )
    is_seen = np.zeros(len(entry_count), bool)
    is_seen[seen] = True
    unseen = fit & ~is_seen
    related = franchises.is_extra, franchises.prequel, franchises.waits_for
    further = unseen & ~franchises.is_version
    following = kernels.franchise_next(
        order, *related, entry_count, is_seen, unseen, further, *shares
    )
    return int(start), int(following)
