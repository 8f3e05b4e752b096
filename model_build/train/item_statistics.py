"""What is known of each anime by its number. Numbers once given stay; new anime come last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from model_build.data.grouping import argsort_descending
from model_build.train.affinity import GramMatrices
from model_build.train.model_arrays import ModelArrays
from model_build.train.pair_sums import RowRange
from model_build.train.sufficient_statistics import ItemCounts, ItemOrdering

STATISTICS_ARRAYS = ("anime_id", "entries", "ratings", "appeal", "bias", "standard_bias")


@dataclass(slots=True)
class ItemStatistics:
    """Ids, counts and biases by number, (n,); ``fixed`` biases belong to kept sums."""

    anime_id: Int32Array
    entries: Int64Array
    ratings: Int64Array
    appeal: Float64Array
    bias: Float64Array
    standard_bias: Float64Array
    has_fixed_bias: BoolArray
    ordering: ItemOrdering

    @classmethod
    def merge_counts(
        cls, counts: ItemCounts, kept: Mapping[str, npt.NDArray[Any]] | None
    ) -> ItemStatistics:
        """Counts of new fans, added to those that were kept."""
        if kept is None:
            ids = counts.anime_id[argsort_descending(counts.ratings)]
            old = {name: np.zeros(0) for name in STATISTICS_ARRAYS}
        else:
            new = np.setdiff1d(counts.anime_id, kept["anime_id"])
            ids, old = np.concatenate([kept["anime_id"], new]), dict(kept)
        numbering = make_item_ordering(np.sort(ids), np.argsort(np.argsort(ids)))
        place = numbering.rank[np.searchsorted(numbering.anime_ids, counts.anime_id)]

        def padded(name: str) -> Float64Array:
            total = np.zeros(len(ids))
            total[: len(old[name])] = old[name]
            return total

        def summed(name: str) -> Float64Array:
            total = padded(name)
            total[place] += getattr(counts, name)
            return total

        fixed = padded("ratings") > 0
        return cls(
            ids.astype(np.int32),
            summed("entries").astype(np.int64),
            summed("ratings").astype(np.int64),
            summed("appeal"),
            padded("bias"),
            padded("standard_bias"),
            fixed,
            numbering,
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is to be kept."""
        return {name: getattr(self, name) for name in STATISTICS_ARRAYS}

    def in_id_order(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values by number in the order of the ids."""
        return values[self.ordering.rank]

    def to_model_arrays(self, n_users: int) -> ModelArrays:
        """What is counted rather than fitted."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "anime_id": self.ordering.anime_ids,
            "rating_count": self.in_id_order(self.ratings).astype(np.int32),
            "entry_count": self.in_id_order(self.entries).astype(np.int32),
            "item_relevance": self.in_id_order(self.appeal) / n_users,
        }
        return ModelArrays(arrays, {})


def make_item_ordering(anime_ids: Int32Array, order: Int64Array) -> ItemOrdering:
    """The numbering in which number k is ``anime_ids[order[k]]``."""
    rank = np.full(len(anime_ids), -1, np.int64)
    rank[order] = np.arange(len(order))
    return ItemOrdering(anime_ids.astype(np.int32, copy=False), order, rank)


class GramMatrixBuilder:
    """Collects the affinity's sums from blocks of all anime, for those on ``fewest`` lists."""

    def __init__(self, items: ItemStatistics, min_entries: int) -> None:
        entries = items.in_id_order(items.entries)
        known = argsort_descending(entries)[: int((entries >= min_entries).sum())]
        self._known = known if len(known) > 1 else known[:0]
        place = np.full(len(entries), -1, np.int64)
        place[self._known] = np.arange(len(self._known))
        self._gram_index = place[items.ordering.order]
        m = len(self._known)
        self._gram, self._cross = np.zeros((m, m), np.float32), np.zeros((m, m), np.float32)
        self._count, self._n_items = entries[self._known], len(entries)

    def add_block(self, rows: RowRange, block: Float64Array) -> None:
        """Take x_i x_j, x_i y_j and y_i x_j of the rows of a block."""
        column = np.flatnonzero(self._gram_index[: rows.last] >= 0)
        where = self._gram_index[column]
        for i in range(rows.first, rows.last):
            at = self._gram_index[i]
            if at < 0:
                continue
            n = int(np.searchsorted(column, i, side="right"))
            own = block[i - rows.first, column[:n]]
            self._gram[at, where[:n]] = self._gram[where[:n], at] = own[:, 0]
            self._cross[at, where[:n]] = own[:, 1]
            self._cross[where[:n], at] = own[:, 2]

    def build(self) -> GramMatrices:
        """What the affinity is solved from."""
        squares = self._gram.diagonal().copy()
        return GramMatrices(
            self._known, self._count, self._n_items, self._gram, squares, self._cross
        )
