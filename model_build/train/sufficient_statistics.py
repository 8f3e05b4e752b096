"""What workers do: pure functions of the partitions of a shard, so that whatever a lost worker held
is computed again from its files.

Anime are numbered by falling number of ratings, the same in every shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
    UInt8Array,
)
from app.recommender.fold_in import input_weight
from model_build.data.dumps.prepared import EntryArrays, RatingsPartition, read_partition
from model_build.data.grouping import GroupedEntries, GroupedRatings, group_entries
from model_build.train import bias_model as bias_kernels
from model_build.train import pair_sums as pair_kernels
from model_build.train.affinity import item_relevance
from model_build.train.bias_model import BiasModel
from model_build.train.pair_sums import RowRange, gram_sum_block, pearson_sum_block
from model_build.train.score_model import (
    StandardScores,
    sample_gaussian_users,
    standard_score_matrix,
    user_rating_std,
)


@dataclass(frozen=True, slots=True)
class ShardEntries:
    """The entries of the fans from number ``first_fan``; ``user`` counts from 0, ascending."""

    first_user: int
    n_users: int
    user: Int32Array
    anime_id: Int32Array
    rating: UInt8Array
    status: UInt8Array


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """Of each anime of some fans, (k,) ascending: entries, ratings, and the sum of its appeal.

    ``score_total`` is the sum of all scores.
    """

    anime_id: Int32Array
    entries: Int64Array
    ratings: Int64Array
    appeal: Float64Array
    rating_total: float


@dataclass(frozen=True, slots=True)
class ItemOrdering:
    """``anime_ids`` ascending; ``order[k]`` is the index of number k and ``rank`` the inverse.

    An index without a number has rank -1.
    """

    anime_ids: Int32Array
    order: Int64Array
    rank: Int64Array


@dataclass(frozen=True, slots=True)
class WeightedEntries:
    """Entries grouped both ways, and how strongly each speaks and how much it is wanted."""

    groups: GroupedEntries
    input_weight: Float32Array
    relevance: Float32Array


def read_shard(
    location: str, partitions: Sequence[RatingsPartition], first_user: int
) -> ShardEntries:
    """Read consecutive partitions of a folder or a gs:// address.

    Raises:
        InputError: a partition is missing or is not the one that was prepared.
    """
    none = EntryArrays(np.zeros(0, np.int32), np.zeros(0, np.int32), *[np.zeros(0, np.uint8)] * 2)
    parts = [none, *(read_partition(location, partition) for partition in partitions)]
    user_id = np.concatenate([part.user_id for part in parts])
    new = np.concatenate([np.ones(len(user_id[:1]), bool), user_id[1:] != user_id[:-1]])
    user = (np.cumsum(new) - 1).astype(np.int32)
    return ShardEntries(
        first_user,
        int(new.sum()),
        user,
        np.concatenate([part.anime_id for part in parts]),
        np.concatenate([part.rating for part in parts]),
        np.concatenate([part.status for part in parts]),
    )


def count_shard_items(entries: ShardEntries) -> ItemCounts:
    """Count what is in a shard."""
    anime_id, item = np.unique(entries.anime_id, return_inverse=True)
    rating = entries.rating.astype(np.float64)
    size = len(anime_id)
    return ItemCounts(
        anime_id,
        np.bincount(item, minlength=size),
        np.bincount(item[entries.rating > 0], minlength=size),
        np.bincount(item, item_relevance(rating), size).astype(np.float64),
        float(rating.sum()),
    )


def merge_item_counts(one: ItemCounts, other: ItemCounts) -> ItemCounts:
    """The counts of the fans of both."""
    anime_id = np.union1d(one.anime_id, other.anime_id)

    def summed(name: str) -> Float64Array:
        total = np.zeros(len(anime_id))
        for counts in (one, other):
            total[np.searchsorted(anime_id, counts.anime_id)] += getattr(counts, name)
        return total

    return ItemCounts(
        anime_id,
        summed("entries").astype(np.int64),
        summed("ratings").astype(np.int64),
        summed("appeal"),
        one.rating_total + other.rating_total,
    )


def group_shard_ratings(entries: ShardEntries, ordering: ItemOrdering) -> GroupedRatings:
    """The scored entries, grouped both ways."""
    grouped = _group_shard(entries, ordering, entries.rating > 0)
    return GroupedRatings(
        ordering.order,
        ordering.rank,
        grouped.user_start,
        grouped.user_item,
        entries.rating[grouped.user_entry].astype(np.float64),
        grouped.item_start,
        grouped.item_user,
        grouped.item_position,
    )


def group_weighted_entries(entries: ShardEntries, ordering: ItemOrdering) -> WeightedEntries:
    """The entries of the numbered anime, scored or not, grouped both ways."""
    item = np.searchsorted(ordering.anime_ids, entries.anime_id)
    lists = _group_shard(entries, ordering, ordering.rank[item] >= 0)
    rating = entries.rating[lists.user_entry].astype(np.float64)
    return WeightedEntries(
        lists,
        input_weight(rating, entries.status[lists.user_entry].astype(np.int8)).astype(np.float32),
        item_relevance(rating).astype(np.float32),
    )


def _group_shard(
    entries: ShardEntries, ordering: ItemOrdering, selected: BoolArray
) -> GroupedEntries:
    item = np.searchsorted(ordering.anime_ids, entries.anime_id).astype(np.int32)
    return group_entries(
        entries.user, item, ordering.rank, entries.n_users, len(ordering.order), selected
    )


def item_residual_totals(
    grouped: GroupedRatings, mean: float, item_bias: Float64Array | None, reg_user: float
) -> Float64Array:
    """What each anime was given beyond the mean and the fans' biases, summed, (n_items,).

    The biases are those that go with ``item_bias``; all 0 if it is None.
    """
    user_bias = np.zeros(grouped.n_users)
    if item_bias is not None:
        user_bias = _solve_user_biases(grouped, grouped.user_rating - mean, item_bias, reg_user)
    total = np.zeros(grouped.n_items)
    pair_kernels.add_item_residual_totals(
        grouped.user_start, grouped.user_item, grouped.user_rating, mean, user_bias, total
    )
    return total


def solve_item_biases(
    total: Float64Array, rating_count: Int64Array, reg_item: float
) -> Float64Array:
    """The half step that follows from the totals of all fans."""
    weight = reg_item + rating_count
    return np.asarray(np.divide(total, weight, out=np.zeros(len(total)), where=weight > 0))


def shard_bias_model(
    grouped: GroupedRatings, mean: float, item_bias: Float64Array, reg_user: float
) -> BiasModel:
    """Each fan's bias and what is left of its ratings; ``item_bias`` is by number here."""
    residual = grouped.user_rating - mean
    user_bias = _solve_user_biases(grouped, residual, item_bias, reg_user)
    bias_kernels.subtract_biases(
        0, grouped.n_users, grouped.user_start, grouped.user_item, user_bias, item_bias, residual
    )
    return BiasModel(mean, user_bias, item_bias, residual)


def _solve_user_biases(
    grouped: GroupedRatings, centred: Float64Array, item_bias: Float64Array, reg_user: float
) -> Float64Array:
    user_bias = np.empty(grouped.n_users)
    bias_kernels.update_biases(
        0,
        grouped.n_users,
        grouped.user_start,
        grouped.user_item,
        centred,
        item_bias,
        reg_user,
        user_bias,
    )
    return user_bias


def residual_moments(bias_model: BiasModel) -> Float64Array:
    """Number, sum and sum of squares of the residuals, (3,)."""
    residual = bias_model.residual
    return np.array([len(residual), residual.sum(), (residual**2).sum()])


def shard_standard_scores(
    grouped: GroupedRatings, bias_model: BiasModel, overall_std: float
) -> StandardScores:
    """Levels and spreads of the fans of a shard."""
    spread = user_rating_std(grouped.user_start, bias_model.residual, overall_std)
    return StandardScores(
        bias_model.item_bias, bias_model.residual, bias_model.user_bias, spread, overall_std
    )


def sample_shard_users(grouped: GroupedRatings, first_user: int) -> Int64Array:
    """Those who may be among the fans that are drawn for the Gaussian."""
    return sample_gaussian_users(grouped.user_start, first_user)


def shard_score_matrix(
    grouped: GroupedRatings,
    standard_scores: StandardScores,
    m: int,
    users: Int64Array,
    first_user: int,
) -> csr_array:
    """The entries of drawn fans."""
    return standard_score_matrix(grouped, standard_scores, m, users - first_user)


def bias_residuals(bias_model: BiasModel) -> Float64Array:
    """What the similarity is computed of."""
    return bias_model.residual


def standard_score_values(grouped: GroupedRatings, standard_scores: StandardScores) -> Float64Array:
    """What the similarity of standard scores is computed of."""
    return np.asarray(
        standard_scores.residual / np.repeat(standard_scores.user_std, np.diff(grouped.user_start))
    )


def shard_pearson_sums(
    grouped: GroupedRatings, values: Float64Array, rows: RowRange
) -> Float64Array:
    """A block of the similarity's sums."""
    return pearson_sum_block(grouped, values, rows, threads=1)


def shard_gram_sums(weighted_entries: WeightedEntries, rows: RowRange) -> Float64Array:
    """A block of the affinity's sums."""
    return gram_sum_block(
        weighted_entries.groups,
        weighted_entries.input_weight,
        weighted_entries.relevance,
        rows,
        threads=1,
    )


def gram_sums_float32(block: Float64Array) -> Float32Array:
    """The affinity's sums of all fans, three of each pair, as its solution takes them."""
    return block[:, :, :3].astype(np.float32)
