"""Franchises: where to begin one, and how to keep one from filling the page.

Nobody tells which anime follows which; the catalogue knows only groups, with type, year and id. So
the order within a group is inferred, and `docs/model.md` says so to fans: series, films and web
series by year, then OVAs; summaries, specials and music videos are extras.
How many lists an anime is on keeps that order honest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender import kernels

Positions = npt.NDArray[np.int64]

_TIER = {"TV": 0, "ONA": 0, "MOVIE": 0, "OVA": 1}
_EXTRA = 2
WAY_IN_SHARE = 0.5
_SUMMARY = re.compile(r"\b(recap|summary|digest|compilation|soushuuhen|soushuhen)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Franchises:
    """Groups over the n anime of a model.

    ``group`` (n,) is -1 where unknown; ``extra`` (n,) bool marks what is no way in; ``order`` are
    all positions with a group, group by group, each in the order in which it would be watched.
    """

    group: npt.NDArray[np.int64]
    extra: npt.NDArray[np.bool_]
    order: Positions

    @classmethod
    def infer(
        cls,
        group: Sequence[int | None],
        kind: Sequence[str | None],
        year: Sequence[int | None],
        title: Sequence[str],
    ) -> Franchises:
        """From catalogue facts, parallel to the model's anime (ascending ids).

        A missing year is read off the anime with the nearest ids: MyAnimeList numbers anime as
        they are announced.
        """
        groups = np.array([-1 if g is None else g for g in group], np.int64)
        tiers = np.array(
            [
                _EXTRA if _SUMMARY.search(name) else _TIER.get((k or "").upper(), _EXTRA)
                for k, name in zip(kind, title, strict=True)
            ],
            np.int64,
        )
        known = np.array([y is not None for y in year], bool)
        years = np.zeros(len(groups))
        if known.any():
            at = np.arange(len(groups))
            years = np.interp(at, at[known], [y for y in year if y is not None])
        film = np.array([(k or "").upper() == "MOVIE" for k in kind], bool)
        order = np.lexsort((film, years, tiers, groups))
        return cls(groups, tiers == _EXTRA, order[groups[order] >= 0])

    def seen(self, positions: Positions) -> npt.NDArray[np.bool_]:
        """Where an anime belongs to a franchise that one of the positions is of, (n,) bool."""
        there = np.zeros(self.group.max(initial=-1) + 2, bool)
        there[self.group[positions]] = True
        there[-1] = False  # where -1, unknown, points to
        return there[self.group]

    def given_up(self, dropped: Positions, seen: Positions) -> npt.NDArray[np.bool_]:
        """Where a franchise was dropped and nothing else of it was seen, (n,) bool.

        Nobody wants the second season of what they did not finish; but who dropped a side story
        and saw the series may go on.
        """
        kept = np.zeros(len(self.group), bool)
        kept[seen] = True
        kept[dropped] = False
        return self.seen(dropped) & ~self.seen(np.flatnonzero(kept))


@dataclass(frozen=True, slots=True)
class Folded:
    """``allowed`` (n,) with one anime a franchise left; ``more`` (n,) what stands behind it."""

    allowed: npt.NDArray[np.bool_]
    more: npt.NDArray[np.int64]


def fold_franchises(
    franchises: Franchises,
    lists: npt.NDArray[np.int32],
    allowed: npt.NDArray[np.bool_],
    seen: Positions,
    waiting: Positions,
    *,
    extras: bool = False,
) -> Folded:
    """Leave the way into every franchise, or on with it; ``lists`` (n,) is how many have an anime.

    It is the first unseen in order among those that are on at least `WAY_IN_SHARE` as many lists as
    the most listed unseen: fewer fans see a sequel than what it follows, so where the inferred
    order errs, a film or a side story does not pass for the beginning. Extras of a franchise that
    the fan knows are left out unless asked for. Where the way in is among ``waiting`` (planned, and
    so not shown), the whole franchise waits with it.
    """
    allowed = allowed.copy()
    if not extras:
        allowed &= ~(franchises.extra & franchises.seen(seen))
    unseen = allowed.copy()
    unseen[waiting] = True
    folded, more = kernels.ways_in(
        franchises.order, franchises.group, lists, unseen, allowed, WAY_IN_SHARE
    )
    return Folded(folded, more)
