"""Franchises: where to begin one, and how to keep one from filling the page.

Nobody tells which anime follows which; the catalogue knows only groups, with type, year and id. So
the order within a group is inferred, and `docs/model.md` says so to fans: series, films and web
series by year, then OVAs; summaries, specials and music videos are extras.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]

_TIER = {"TV": 0, "ONA": 0, "MOVIE": 0, "OVA": 1}
_EXTRA = 2
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
        known = self.group[positions]
        return np.isin(self.group, known[known >= 0])


@dataclass(frozen=True, slots=True)
class Folded:
    """``allowed`` (n,) with one anime a franchise left; ``more`` (n,) what stands behind it;
    ``sort_key`` (n,), for that one the best of its franchise."""

    allowed: npt.NDArray[np.bool_]
    more: npt.NDArray[np.int64]
    sort_key: npt.NDArray[np.float64]


def fold_franchises(
    franchises: Franchises,
    sort_key: npt.NDArray[np.float64],
    allowed: npt.NDArray[np.bool_],
    seen: Positions,
    waiting: Positions,
    *,
    extras: bool = False,
) -> Folded:
    """Leave the first unseen anime of every franchise, ranked as its best.

    Extras of a franchise that the fan knows are left out unless asked for. Where the way in is
    among ``waiting`` (planned, and so not shown), the whole franchise waits with it.
    """
    allowed = allowed.copy()
    if not extras:
        allowed &= ~(franchises.extra & franchises.seen(seen))
    unseen = allowed.copy()
    unseen[waiting] = True
    members = franchises.order[unseen[franchises.order]]
    if not len(members):
        return Folded(allowed, np.zeros(len(allowed), np.int64), sort_key)
    group = franchises.group[members]
    first = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    entry = members[first]
    shown = allowed[members]
    best = np.maximum.reduceat(np.where(shown, sort_key[members], -np.inf), first)
    count = np.add.reduceat(shown.astype(np.int64), first)

    folded = allowed.copy()
    folded[members] = False
    folded[entry] = allowed[entry]
    more = np.zeros(len(allowed), np.int64)
    more[entry] = np.maximum(count - 1, 0)
    ranked = sort_key.copy()
    ranked[entry] = best
    return Folded(folded, more, ranked)
