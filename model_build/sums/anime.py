"""What is known of each anime by its number. Numbers once given stay; new anime come last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_build.affinity import Grams
from model_build.grouping import falling
from model_build.parts import Part
from model_build.sums.pair_sums import Rows
from model_build.sums.shard import Counts, Numbering

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
ARRAYS = ("anime_id", "entries", "ratings", "appeal", "bias", "standard_bias")


@dataclass(slots=True)
class Anime:
    """Ids, counts and biases by number, (n,); ``fixed`` biases belong to kept sums."""

    anime_id: npt.NDArray[np.int32]
    entries: Longs
    ratings: Longs
    appeal: Floats
    bias: Floats
    standard_bias: Floats
    fixed: npt.NDArray[np.bool_]
    numbering: Numbering

    @classmethod
    def of(cls, counts: Counts, kept: Mapping[str, npt.NDArray[Any]] | None) -> Anime:
        """Counts of new fans, added to those that were kept."""
        if kept is None:
            ids = counts.anime_id[falling(counts.ratings)]
            old = {name: np.zeros(0) for name in ARRAYS}
        else:
            new = np.setdiff1d(counts.anime_id, kept["anime_id"])
            ids, old = np.concatenate([kept["anime_id"], new]), dict(kept)
        numbering = numbered(np.sort(ids), np.argsort(np.argsort(ids)))
        place = numbering.rank[np.searchsorted(numbering.anime_ids, counts.anime_id)]

        def whole(name: str) -> Floats:
            total = np.zeros(len(ids))
            total[: len(old[name])] = old[name]
            return total

        def both(name: str) -> Floats:
            total = whole(name)
            total[place] += getattr(counts, name)
            return total

        fixed = whole("ratings") > 0
        return cls(
            ids.astype(np.int32),
            both("entries").astype(np.int64),
            both("ratings").astype(np.int64),
            both("appeal"),
            whole("bias"),
            whole("standard_bias"),
            fixed,
            numbering,
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is to be kept."""
        return {name: getattr(self, name) for name in ARRAYS}

    def by_id(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values by number in the order of the ids."""
        return values[self.numbering.rank]

    def facts(self, fans: int) -> Part:
        """What is counted rather than fitted."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "anime_id": self.numbering.anime_ids,
            "rating_count": self.by_id(self.ratings).astype(np.int32),
            "entry_count": self.by_id(self.entries).astype(np.int32),
            "appeal": self.by_id(self.appeal) / fans,
        }
        return Part(arrays, {})


def numbered(anime_ids: npt.NDArray[np.int32], order: Longs) -> Numbering:
    """The numbering in which number k is ``anime_ids[order[k]]``."""
    rank = np.full(len(anime_ids), -1, np.int64)
    rank[order] = np.arange(len(order))
    return Numbering(anime_ids.astype(np.int32, copy=False), order, rank)


class GramsOfNumbers:
    """Collects the affinity's sums from blocks of all anime, for those on ``fewest`` lists."""

    def __init__(self, anime: Anime, fewest: int) -> None:
        entries = anime.by_id(anime.entries)
        known = falling(entries)[: int((entries >= fewest).sum())]
        self._known = known if len(known) > 1 else known[:0]
        place = np.full(len(entries), -1, np.int64)
        place[self._known] = np.arange(len(self._known))
        self._place = place[anime.numbering.order]
        m = len(self._known)
        self._gram, self._cross = np.zeros((m, m), np.float32), np.zeros((m, m), np.float32)
        self._count, self._n_items = entries[self._known], len(entries)

    def take(self, rows: Rows, block: Floats) -> None:
        """Take x_i x_j, x_i y_j and y_i x_j of the rows of a block."""
        column = np.flatnonzero(self._place[: rows.last] >= 0)
        where = self._place[column]
        for i in range(rows.first, rows.last):
            at = self._place[i]
            if at < 0:
                continue
            n = int(np.searchsorted(column, i, side="right"))
            own = block[i - rows.first, column[:n]]
            self._gram[at, where[:n]] = self._gram[where[:n], at] = own[:, 0]
            self._cross[at, where[:n]] = own[:, 1]
            self._cross[where[:n], at] = own[:, 2]

    def grams(self) -> Grams:
        """What the affinity is solved from."""
        squares = self._gram.diagonal().copy()
        return Grams(self._known, self._count, self._n_items, self._gram, squares, self._cross)
