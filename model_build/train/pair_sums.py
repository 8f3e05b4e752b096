"""Sums over users for pairs of items, in blocks of rows, and similarities made of them.

A block holds rows [first, last) of the lower triangle, (rows, last, 4) float64. Blocks of different
users over the same items can be added; a block is finished by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np

from app.recommender.array_types import Float32Array, Float64Array, FloatArray, Int32Array
from model_build.data.grouping import UserItemGroups, UserItemIndex
from model_build.train.affinity import WeightedEntries, accumulate_gram_pairs
from model_build.train.similarity import SimilarityRows, accumulate_pearson_pairs, shrunk_similarity
from model_build.util.threads import available_cpus, balanced_ranges, run_over_ranges

SUMS_PER_PAIR = 4
RANGES_PER_THREAD = 4
PAIR_BYTES = 8 * SUMS_PER_PAIR


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows [first, last) of the lower triangle."""

    first: int
    last: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the block of sums."""
        return self.last - self.first, self.last, SUMS_PER_PAIR


def split_row_ranges(n_items: int, max_bytes: int, first: int = 0) -> list[RowRange]:
    """Cut the rows from ``first`` into blocks of at most ``max_bytes``, or of one row."""
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
    """Sum up support, products and both squares of ``value`` for each pair i > j.

    Parameters
    ----------
    value
        (n,) parallel to ``groups.user_item``.
    """
    return _accumulate_block(_pearson_sum_rows, groups, (value,), rows, threads)


def gram_sum_block(
    weighted: WeightedEntries, rows: RowRange, threads: int | None = None
) -> Float64Array:
    """Sum up x_i x_j, x_i y_j and y_i x_j of each pair i >= j, (rows, items, 4).

    The last of the four means nothing.
    """
    values = weighted.input_weight, weighted.relevance
    return _accumulate_block(_gram_sum_rows, weighted, values, rows, threads)


def _accumulate_block(
    kernel: Callable[..., None],
    groups: UserItemGroups,
    values: tuple[FloatArray, ...],
    rows: RowRange,
    threads: int | None,
) -> Float64Array:
    threads = threads or available_cpus()
    block = np.zeros(rows.shape)
    arguments = (rows.first, groups.index, *values, block)
    if threads == 1:
        kernel(rows.first, rows.last, *arguments)
        return block
    cost = groups.count_item_pairs()[rows.first : rows.last] + 1
    with ThreadPoolExecutor(threads) as pool:
        ranges = balanced_ranges(cost, threads * RANGES_PER_THREAD, rows.first)
        run_over_ranges(pool, kernel, ranges, *arguments)
    return block


def similarities_from_sums(
    block: Float64Array, rows: RowRange, shrinkage: float, min_support: int
) -> SimilarityRows:
    """Compute positive similarities from the Pearson sums (rows, items, 4) of all users."""
    count, width, _ = rows.shape
    index, value = np.empty((count, width), np.int32), np.empty((count, width), np.float32)
    size = np.empty(count, np.int32)
    _fill_similarity_rows(rows.first, block, shrinkage, max(2, min_support), index, value, size)
    filled = np.arange(width) < size[:, None]
    start = np.cumsum(size, dtype=np.int64) - size
    return SimilarityRows(rows.first, start, size, index[filled], value[filled])


@numba.njit(nogil=True, cache=True)
def _pearson_sum_rows(
    first: int,
    last: int,
    block_first: int,
    index: UserItemIndex,
    value: Float64Array,
    block: Float64Array,
) -> None:
    for i in range(first, last):
        accumulate_pearson_pairs(i, index, value, block[i - block_first])


@numba.njit(nogil=True, cache=True)
def _gram_sum_rows(
    first: int,
    last: int,
    block_first: int,
    index: UserItemIndex,
    input_weight: Float32Array,
    relevance: Float32Array,
    block: Float64Array,
) -> None:
    for i in range(first, last):
        accumulate_gram_pairs(i, index, input_weight, relevance, block[i - block_first])


@numba.njit(nogil=True, cache=True)
def _fill_similarity_rows(
    block_first: int,
    block: Float64Array,
    shrinkage: float,
    min_support: int,
    index: Int32Array,
    value: Float32Array,
    size: Int32Array,
) -> None:
    for row in range(len(block)):
        found = 0
        for j in range(block_first + row):
            similarity = shrunk_similarity(block[row], j, shrinkage, min_support)
            if similarity > 0.0:
                index[row, found], value[row, found] = j, similarity
                found += 1
        size[row] = found
