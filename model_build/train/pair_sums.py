"""Sums over fans for pairs of anime, in blocks of rows, and what is made of them.

A block holds rows [first, last) of the lower triangle, (rows, last, 4) float64. Blocks of different
fans over the same anime can be added; a block is finished by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numba
import numpy as np
import numpy.typing as npt

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from model_build.train import affinity as affinity_kernels
from model_build.train import similarity as kernels
from model_build.train.similarity import count_item_pairs
from model_build.train.topk_neighbours import TopKNeighbours
from model_build.util.threads import available_cpus, balanced_ranges, run_over_ranges

SUMS_PER_PAIR = 4
RANGES_PER_THREAD = 4
PAIR_BYTES = 8 * SUMS_PER_PAIR


class UserItemGroups(Protocol):
    """Entries grouped by fan and by anime, as in `model_build.data.grouping`."""

    @property
    def user_start(self) -> Int64Array: ...
    @property
    def user_item(self) -> Int32Array: ...
    @property
    def item_start(self) -> Int64Array: ...
    @property
    def item_user(self) -> Int32Array: ...
    @property
    def item_position(self) -> Int32Array: ...


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows [first, last) of the lower triangle."""

    first: int
    last: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.last - self.first, self.last, SUMS_PER_PAIR


def split_row_ranges(n_items: int, max_bytes: int, first: int = 0) -> list[RowRange]:
    """The rows from ``first``, in blocks of at most ``most_bytes``, or of one row."""
    found = []
    most = max_bytes // PAIR_BYTES
    while first < n_items:
        # The largest r with r (first + r) <= most.
        rows = int((np.sqrt(first * first + 4.0 * most) - first) / 2)
        last = min(n_items, first + max(1, rows))
        found.append(RowRange(first, last))
        first = last
    return found


def pearson_sum_block(
    groups: UserItemGroups, value: Float64Array, rows: RowRange, threads: int | None = None
) -> Float64Array:
    """Support, sum of products and both sums of squares of each pair i > j of ``value``.

    ``value`` is parallel to ``lists.user_item``.
    """
    return _accumulate_block(pearson_sum_rows, groups, (value,), rows, threads)


def gram_sum_block(
    groups: UserItemGroups,
    input_weight: Float32Array,
    relevance: Float32Array,
    rows: RowRange,
    threads: int | None = None,
) -> Float64Array:
    """x_i x_j, x_i y_j and y_i x_j of each pair i >= j; the last element means nothing."""
    return _accumulate_block(gram_sum_rows, groups, (input_weight, relevance), rows, threads)


def _accumulate_block(
    kernel: Callable[..., None],
    groups: UserItemGroups,
    values: tuple[npt.NDArray[np.floating], ...],
    rows: RowRange,
    threads: int | None,
) -> Float64Array:
    threads = threads or available_cpus()
    block = np.zeros(rows.shape)
    grouped = (
        groups.item_start,
        groups.item_user,
        groups.item_position,
        groups.user_start,
        groups.user_item,
        *values,
    )
    if threads == 1:
        kernel(rows.first, rows.last, rows.first, *grouped, block)
        return block
    cost = np.empty(len(groups.item_start) - 1, np.int64)
    count_item_pairs(
        groups.item_start, groups.item_user, groups.item_position, groups.user_start, cost
    )
    ranges = balanced_ranges(
        cost[rows.first : rows.last] + 1, threads * RANGES_PER_THREAD, rows.first
    )
    with ThreadPoolExecutor(threads) as pool:
        run_over_ranges(pool, kernel, ranges, rows.first, *grouped, block)
    return block


@dataclass(frozen=True, slots=True)
class SimilarityRows:
    """Positive similarities of rows to smaller numbers: CSR with ``size`` of each row."""

    rows: RowRange
    index: Int32Array
    value: Float32Array
    size: Int32Array


def finish_similarity_rows(
    block: Float64Array, rows: RowRange, shrinkage: float, min_support: int
) -> SimilarityRows:
    """Finish a block of sums of all fans."""
    count, width, _ = rows.shape
    index, value = np.empty((count, width), np.int32), np.empty((count, width), np.float32)
    size = np.empty(count, np.int32)
    similarities_from_sums(rows.first, block, shrinkage, max(2, min_support), index, value, size)
    filled = np.arange(width) < size[:, None]
    return SimilarityRows(rows, index[filled], value[filled], size)


def add_similarity_rows(
    nearest: TopKNeighbours, similarity_rows: SimilarityRows, pool: ThreadPoolExecutor, threads: int
) -> None:
    """Give the similarities of a block to the heaps; blocks come in order."""
    rows = similarity_rows.rows
    count, width, _ = rows.shape
    filled = np.arange(width) < similarity_rows.size[:, None]
    index, value = np.empty((count, width), np.int32), np.empty((count, width), np.float32)
    index[filled], value[filled] = similarity_rows.index, similarity_rows.value
    row_ranges = balanced_ranges(similarity_rows.size.astype(np.int64) + 1, threads, rows.first)
    column_ranges = balanced_ranges(np.ones(rows.last, np.int64), threads)
    nearest.add_block(
        pool, rows.first, (index, value, similarity_rows.size), row_ranges, column_ranges
    )


_accumulate_pearson_pairs = kernels.accumulate_pearson_pairs
_accumulate_gram_pairs = affinity_kernels.accumulate_gram_pairs
_shrunk_similarity = kernels.shrunk_similarity


@numba.njit(nogil=True, cache=True)
def pearson_sum_rows(
    first: int,
    last: int,
    block_first: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    value: Float64Array,
    block: Float64Array,
) -> None:
    """Add to ``block[i - block_first, j]`` (1, e_i e_j, e_i^2, e_j^2) of every meeting, j < i."""
    for i in range(first, last):
        _accumulate_pearson_pairs(
            i,
            item_start,
            item_user,
            item_position,
            user_start,
            user_item,
            value,
            block[i - block_first],
        )


@numba.njit(nogil=True, cache=True)
def gram_sum_rows(
    first: int,
    last: int,
    block_first: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    input_weight: Float32Array,
    relevance: Float32Array,
    block: Float64Array,
) -> None:
    """Add to ``block[i - block_first, j]`` (x_i x_j, x_i y_j, y_i x_j, -) of every meeting,
    j <= i."""
    for i in range(first, last):
        _accumulate_gram_pairs(
            i,
            item_start,
            item_user,
            item_position,
            user_start,
            user_item,
            input_weight,
            relevance,
            block[i - block_first],
        )


@numba.njit(nogil=True, cache=True)
def similarities_from_sums(
    block_first: int,
    block: Float64Array,
    shrinkage: float,
    min_support: int,
    index: Int32Array,
    value: Float32Array,
    size: Int32Array,
) -> None:
    """The positive similarities of each row of a block, in the order of j; ``block`` is kept."""
    for row in range(len(block)):
        found = 0
        for j in range(block_first + row):
            similarity = _shrunk_similarity(block[row], j, shrinkage, min_support)
            if similarity > 0.0:
                index[row, found], value[row, found] = j, similarity
                found += 1
        size[row] = found


@numba.njit(nogil=True, cache=True)
def add_item_residual_totals(
    user_start: Int64Array,
    user_item: Int32Array,
    rating: Float64Array,
    mean: float,
    user_bias: Float64Array,
    total: Float64Array,
) -> None:
    """Add to ``total`` of each item what is left of its ratings without mean and fans' biases."""
    for u in range(len(user_bias)):
        for q in range(user_start[u], user_start[u + 1]):
            total[user_item[q]] += rating[q] - mean - user_bias[u]
