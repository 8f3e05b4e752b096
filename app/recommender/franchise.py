"""Franchises: where to begin one, and how to keep one from filling the page.

The catalogue does not say which anime follows which; it has only groups, with type, year and id. So
the order within a group is inferred (`docs/model.md`): series, films and web series by year, then
OVAs; summaries, specials and music videos are extras. The number of lists that an anime is on
corrects that order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.recommender import kernels
from app.recommender.array_types import BoolArray, Int32Array, Int64Array

_TYPE_TIERS = {"TV": 0, "ONA": 0, "MOVIE": 0, "OVA": 1}
_EXTRA_TIER = 2
_RECAP_PATTERN = re.compile(
    r"\b(recap|summary|digest|compilation|soushuuhen|soushuhen)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Franchises:
    """Groups over the n anime of a model.

    ``franchise_id`` (n,) is -1 where unknown; ``is_extra`` (n,) bool marks what is no entry point;
    ``watch_order`` are all positions with a group, group by group, each in the order in which it
    would be watched.
    """

    franchise_id: Int64Array
    is_extra: BoolArray
    watch_order: Int64Array

    @classmethod
    def infer(
        cls,
        franchise_id: Sequence[int | None],
        media_type: Sequence[str | None],
        year: Sequence[int | None],
        title: Sequence[str],
    ) -> Franchises:
        """From catalogue facts, parallel to the model's anime (ascending ids).

        A missing year is read off the anime with the nearest ids: MyAnimeList numbers anime as
        they are announced.
        """
        groups = np.array([-1 if g is None else g for g in franchise_id], np.int64)
        tiers = np.array(
            [
                _EXTRA_TIER
                if _RECAP_PATTERN.search(name)
                else _TYPE_TIERS.get((k or "").upper(), _EXTRA_TIER)
                for k, name in zip(media_type, title, strict=True)
            ],
            np.int64,
        )
        known = np.array([y is not None for y in year], bool)
        years = np.zeros(len(groups))
        if known.any():
            at = np.arange(len(groups))
            years = np.interp(at, at[known], [y for y in year if y is not None])
        film = np.array([(k or "").upper() == "MOVIE" for k in media_type], bool)
        order = np.lexsort((film, years, tiers, groups))
        return cls(groups, tiers == _EXTRA_TIER, order[groups[order] >= 0])

    def same_franchise_mask(self, positions: Int64Array) -> BoolArray:
        """Where an anime belongs to a franchise that one of the positions is of, (n,) bool."""
        franchise_mask = np.zeros(self.franchise_id.max(initial=-1) + 2, bool)
        franchise_mask[self.franchise_id[positions]] = True
        franchise_mask[-1] = False  # where -1, unknown, points to
        return franchise_mask[self.franchise_id]

    def dropped_franchises(self, dropped: Int64Array, seen: Int64Array) -> BoolArray:
        """Where a franchise was dropped and nothing else of it was seen, (n,) bool.

        Nobody wants the second season of what they did not finish; but who dropped a side story
        and saw the series may go on.
        """
        finished = np.zeros(len(self.franchise_id), bool)
        finished[seen] = True
        finished[dropped] = False
        return self.same_franchise_mask(dropped) & ~self.same_franchise_mask(
            np.flatnonzero(finished)
        )


@dataclass(frozen=True, slots=True)
class CollapsedFranchises:
    """``allowed`` (n,) with one anime a franchise left; ``hidden_count`` (n,) it stands for."""

    allowed: BoolArray
    hidden_count: Int64Array


def collapse_franchises(
    franchises: Franchises,
    entry_count: Int32Array,
    min_share: float,
    allowed: BoolArray,
    seen: Int64Array,
    planned: Int64Array,
    *,
    include_extras: bool = False,
) -> CollapsedFranchises:
    """Leave of every franchise its entry point or next part; ``entry_count`` (n,) counts lists.

    It is the first unseen in order among those that are on at least ``min_share`` as many lists as
    the most listed unseen: fewer users see a sequel than what it follows, so where the inferred
    order errs, a film or a side story does not pass for the beginning. Extras of a franchise that
    the user knows are left out unless asked for. Where the entry point is ``planned``, and so not
    shown, nothing of the franchise is.
    """
    allowed = allowed.copy()
    if not include_extras:
        allowed &= ~(franchises.is_extra & franchises.same_franchise_mask(seen))
    unseen = allowed.copy()
    unseen[planned] = True
    collapsed, hidden_count = kernels.franchise_entry_points(
        franchises.watch_order, franchises.franchise_id, entry_count, unseen, allowed, min_share
    )
    return CollapsedFranchises(collapsed, hidden_count)
