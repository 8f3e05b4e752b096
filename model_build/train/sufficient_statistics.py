"""Sums over the list entries of some users, from which a model is fitted.

All are pure functions of the entries, so that those of different users can be added, and a lost
worker's can be computed again. Items are numbered by an `ItemOrdering`, the same for all users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from app.recommender.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int8Array,
    Int32Array,
    Int64Array,
    UInt8Array,
)
from app.recommender.arrays import find_positions
from model_build.data.dumps.prepared import EntryArrays, RatingsPartition, read_partition
from model_build.data.grouping import (
    CHUNK_ENTRIES,
    GroupedEntries,
    GroupedRatings,
    argsort_descending,
    count_entries_per_item,
    group_entries,
)
from model_build.data.ratings import Ratings
from model_build.train.affinity import WeightedEntries, item_relevance, weigh_entries
from model_build.train.bias_model import BiasModel, subtract_biases, update_biases
from model_build.train.score_model import StandardScores, user_rating_std


@dataclass(frozen=True, slots=True)
class EntriesOfUsers:
    """List entries of the users numbered from ``first_user``, as parallel arrays (n_entries,).

    ``user`` counts from 0; ``item`` are positions in ``anime_ids`` (n_items,), which ascend. A
    ``rating`` of 0 is an entry without a score.
    """

    first_user: int
    n_users: int
    anime_ids: Int32Array
    user: Int32Array
    item: Int32Array
    rating: Float64Array | UInt8Array
    status: Int8Array | UInt8Array

    @classmethod
    def from_ratings(cls, ratings: Ratings) -> EntriesOfUsers:
        """Take all entries, without a copy."""
        r = ratings
        return cls(0, len(r.user_ids), r.anime_ids, r.user, r.item, r.rating, r.status)

    def scored(self) -> EntriesOfUsers:
        """Leave out entries without a score; all users stay."""
        rows = self.rating > 0
        columns = (self.user[rows], self.item[rows], self.rating[rows], self.status[rows])
        return EntriesOfUsers(self.first_user, self.n_users, self.anime_ids, *columns)


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """Entries, ratings and summed `item_relevance` of each of ``anime_ids`` (k,), ascending.

    ``rating_total`` is the sum of all ratings.
    """

    anime_ids: Int32Array
    entries: Int64Array
    ratings: Int64Array
    relevance: Float64Array
    rating_total: float

    def __add__(self, other: ItemCounts) -> ItemCounts:
        """Add the counts of other users."""
        anime_ids = np.union1d(self.anime_ids, other.anime_ids)

        def total(name: str) -> Float64Array:
            summed = np.zeros(len(anime_ids))
            for counts in (self, other):
                summed[find_positions(anime_ids, counts.anime_ids)] += getattr(counts, name)
            return summed

        return ItemCounts(
            anime_ids,
            total("entries").astype(np.int64),
            total("ratings").astype(np.int64),
            total("relevance"),
            self.rating_total + other.rating_total,
        )

    def with_items(self, anime_ids: Int32Array) -> ItemCounts:
        """Add items (m,) that nobody lists."""
        none = np.zeros(len(anime_ids), np.int64)
        return self + ItemCounts(anime_ids, none, none, none.astype(np.float64), 0.0)

    def positions(self, anime_ids: Int32Array) -> Int64Array:
        """Find the positions of some of the anime, (len(anime_ids),)."""
        return find_positions(self.anime_ids, anime_ids)

    def ordering(self) -> ItemOrdering:
        """Order items by falling number of ratings."""
        return ItemOrdering.of(self.anime_ids, argsort_descending(self.ratings))


@dataclass(frozen=True, slots=True)
class ItemOrdering:
    """A numbering of items: number k is ``anime_ids[order[k]]``; ``rank`` is the inverse.

    ``anime_ids`` (n,) ascend; an item without a number has rank -1.
    """

    anime_ids: Int32Array
    order: Int64Array
    rank: Int64Array

    @classmethod
    def of(cls, anime_ids: Int32Array, order: Int64Array) -> ItemOrdering:
        """Make the numbering by ``order`` (n,)."""
        rank = np.full(len(anime_ids), -1, np.int64)
        rank[order] = np.arange(len(order))
        return cls(anime_ids.astype(np.int32, copy=False), order, rank)

    def rank_of(self, anime_ids: Int32Array) -> Int64Array:
        """Look up the numbers (p,) of anime ids (p,)."""
        return self.rank[find_positions(self.anime_ids, anime_ids)]


def read_shard(
    location: str, partitions: Sequence[RatingsPartition], first_user: int
) -> EntriesOfUsers:
    """Read consecutive partitions of a folder or a gs:// address."""
    none = EntryArrays(np.zeros(0, np.int32), np.zeros(0, np.int32), *[np.zeros(0, np.uint8)] * 2)
    parts = [none, *(read_partition(location, partition) for partition in partitions)]
    user_id = np.concatenate([part.user_id for part in parts])
    new = np.concatenate([np.ones(len(user_id[:1]), bool), user_id[1:] != user_id[:-1]])
    anime_ids, item = np.unique(
        np.concatenate([part.anime_id for part in parts]), return_inverse=True
    )
    return EntriesOfUsers(
        first_user,
        int(new.sum()),
        anime_ids,
        (np.cumsum(new) - 1).astype(np.int32),
        item.astype(np.int32),
        np.concatenate([part.rating for part in parts]),
        np.concatenate([part.status for part in parts]),
    )


def count_items(entries: EntriesOfUsers) -> ItemCounts:
    """Count the entries of each item."""
    n_items = len(entries.anime_ids)
    relevance = np.zeros(n_items)
    for first in range(0, len(entries.item), CHUNK_ENTRIES):
        chunk = slice(first, first + CHUNK_ENTRIES)
        worth = item_relevance(entries.rating[chunk])
        relevance += np.bincount(entries.item[chunk], worth, n_items)
    return ItemCounts(
        entries.anime_ids,
        count_entries_per_item(entries.item, n_items),
        count_entries_per_item(entries.item, n_items, entries.rating > 0),
        relevance,
        float(entries.rating.sum(dtype=np.float64)),
    )


def group_ratings_by_number(entries: EntriesOfUsers, ordering: ItemOrdering) -> GroupedRatings:
    """Group the rated entries both ways."""
    grouped = _group(entries, ordering, entries.rating > 0)
    rating = entries.rating[grouped.user_entry].astype(np.float64, copy=False)
    return GroupedRatings(*grouped.index, rating, ordering.order, ordering.rank)


def weigh_numbered_entries(entries: EntriesOfUsers, ordering: ItemOrdering) -> WeightedEntries:
    """Group the entries of the numbered items, rated or not, both ways."""
    numbered = ordering.rank_of(entries.anime_ids) >= 0
    grouped = _group(entries, ordering, numbered[entries.item])
    return weigh_entries(grouped, entries.rating, entries.status)


def _group(entries: EntriesOfUsers, ordering: ItemOrdering, selected: BoolArray) -> GroupedEntries:
    rank = ordering.rank_of(entries.anime_ids)
    return group_entries(
        entries.user, entries.item, rank, entries.n_users, len(ordering.order), selected
    )


def item_residual_totals(
    grouped: GroupedRatings, mean: float, item_bias: Float64Array | None, reg_user: float
) -> Float64Array:
    """Sum over the ratings of each item of r - mean - b_u, (n_items,) by number.

    The b_u are those that go with ``item_bias`` (by number); all 0 if it is None.
    """
    user_bias = np.zeros(grouped.n_users)
    if item_bias is not None:
        user_bias = _solve_user_biases(grouped, grouped.user_rating - mean, item_bias, reg_user)
    total = np.zeros(grouped.n_items)
    _add_residual_totals(
        grouped.user_indptr, grouped.user_item, grouped.user_rating, mean, user_bias, total
    )
    return total


def solve_item_biases(
    total: Float64Array, rating_count: Int64Array, reg_item: float
) -> Float64Array:
    """Solve b_i = total / (reg_item + n_i) from the totals over all users, (n_items,)."""
    weight = reg_item + rating_count
    return np.asarray(np.divide(total, weight, out=np.zeros(len(total)), where=weight > 0))


def bias_model_of_items(
    grouped: GroupedRatings, mean: float, item_bias: Float64Array, reg_user: float
) -> BiasModel:
    """Solve for users' biases and residuals, given item biases (n,); these stay by number."""
    residual = grouped.user_rating - mean
    user_bias = _solve_user_biases(grouped, residual, item_bias, reg_user)
    subtract_biases(
        0, grouped.n_users, grouped.user_indptr, grouped.user_item, user_bias, item_bias, residual
    )
    return BiasModel(mean, user_bias, item_bias, residual)


def _solve_user_biases(
    grouped: GroupedRatings, centred: Float64Array, item_bias: Float64Array, reg_user: float
) -> Float64Array:
    user_bias = np.empty(grouped.n_users)
    indptr, item = grouped.user_indptr, grouped.user_item
    update_biases(0, grouped.n_users, indptr, item, centred, item_bias, reg_user, user_bias)
    return user_bias


def residual_moments(bias_model: BiasModel) -> Float64Array:
    """Return number, sum and sum of squares of the residuals, (3,)."""
    residual = bias_model.residual
    return np.array([len(residual), residual.sum(), (residual**2).sum()])


def standardise_residuals(
    grouped: GroupedRatings, bias_model: BiasModel, overall_std: float
) -> StandardScores:
    """Compute standard scores for given item biases and a given deviation of all."""
    std = user_rating_std(grouped.user_indptr, bias_model.residual, overall_std)
    return StandardScores(
        bias_model.item_bias, bias_model.residual, bias_model.user_bias, std, overall_std
    )


def gram_sums_float32(block: Float64Array) -> Float32Array:
    """Round the three sums that `GramMatrixBuilder` reads to single precision: (rows, items, 3)."""
    return block[:, :, :3].astype(np.float32)


@numba.njit(nogil=True, cache=True)
def _add_residual_totals(
    user_indptr: Int64Array,
    user_item: Int32Array,
    rating: Float64Array,
    mean: float,
    user_bias: Float64Array,
    total: Float64Array,
) -> None:
    for u in range(len(user_bias)):
        for q in range(user_indptr[u], user_indptr[u + 1]):
            total[user_item[q]] += rating[q] - mean - user_bias[u]
