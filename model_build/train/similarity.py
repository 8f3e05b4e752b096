"""Shrunk Pearson-baseline similarity over all pairs of items, cut to the nearest neighbours.

Koren, "Factor in the Neighbors" (TKDD 2010), section 2.2, as
`surprise.similarities.pearson_baseline` computes it: over the users who rated both i and j,

    rho_ij = sum e_ui e_uj / sqrt(sum e_ui^2 * sum e_uj^2),   e_ui = r_ui - mu - b_u - b_i
    sim_ij = rho_ij * (n_ij - 1) / (n_ij - 1 + shrinkage)

and 0 below ``max(2, min_support)`` common users. Two differences, both on purpose: a pair whose
residuals are all zero has similarity 0 (Surprise divides by zero), and of neighbours that are
equally similar the more rated one is kept first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import NamedTuple

import numba
import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from app.recommender.kernels import quickselect_largest
from model_build.data.grouping import GroupedRatings, UserItemIndex
from model_build.train.intrinsics import (
    PREFETCH_DISTANCE,
    PREFETCH_ENTRIES,
    add_pearson_terms,
    prefetch_element,
)
from model_build.util.progress import ProgressCallback, no_progress
from model_build.util.threads import available_cpus, balanced_ranges, run_over_ranges


@dataclass(frozen=True, slots=True)
class SimilarityRows:
    """Positive similarities of the items from ``first`` to those of smaller number.

    Row r, of the item ``first + r``, are the ``size[r]`` elements of ``index`` and ``value`` from
    ``start[r]`` on.
    """

    first: int
    start: Int64Array
    size: Int32Array
    index: Int32Array
    value: Float32Array

    @property
    def last(self) -> int:
        """The number after the last row's."""
        return self.first + len(self.size)


def select_neighbours(
    blocks: Iterable[SimilarityRows],
    order: Int64Array,
    rank: Int64Array,
    rating_count: Int64Array,
    k: int,
    *,
    threads: int | None = None,
    step: str = "similarity",
    on_progress: ProgressCallback = no_progress,
) -> csr_array:
    """Select the ``k`` most similar items of each; of equal ones those of smaller number.

    Memory: k x n_items x 8 bytes.

    Parameters
    ----------
    blocks
        All rows, in their order.
    order, rank
        (n_items,) number k is the item ``order[k]``, and the inverse.
    rating_count
        (n_items,) by number: how often each is about to be met.

    Returns
    -------
    csr_array
        (n_items, n_items) float32 in the original order of the items, columns in no order.
    """
    threads = threads or available_cpus()
    nearest = TopKNeighbours(len(order), k)
    with ThreadPoolExecutor(threads) as pool:
        for rows in blocks:
            row_ranges = balanced_ranges(rows.size.astype(np.int64) + 1, threads, rows.first)
            column_ranges = balanced_ranges(rating_count[: rows.last] + 1, threads)
            nearest.add_rows(pool, rows, row_ranges, column_ranges)
            on_progress(step, rows.last, len(order))
    return nearest.to_csr(order, rank)


class NeighbourHeaps(NamedTuple):
    """Min-heaps of neighbours, the ``size`` (n,) first columns of each row, (n, k)."""

    values: Float32Array
    indices: Int32Array
    size: Int32Array


class TopKNeighbours:
    """A heap of the ``k`` nearest of each of ``n_items``."""

    def __init__(self, n_items: int, k: int) -> None:
        shape = n_items, max(1, min(k, n_items - 1))
        self._heaps = NeighbourHeaps(
            np.empty(shape, np.float32), np.empty(shape, np.int32), np.zeros(n_items, np.int32)
        )

    def add_rows(
        self,
        pool: ThreadPoolExecutor,
        rows: SimilarityRows,
        row_ranges: list[tuple[int, int]],
        column_ranges: list[tuple[int, int]],
    ) -> None:
        """Take the next block; the ranges say how threads share its rows and all its columns."""
        block = (rows.start, rows.size, rows.index, rows.value)
        run_over_ranges(pool, _fill_heaps_from_rows, row_ranges, rows.first, block, self._heaps)
        run_over_ranges(
            pool, _push_columns_to_heaps, column_ranges, rows.first, rows.last, block, self._heaps
        )

    def to_csr(self, order: Int64Array, rank: Int64Array) -> csr_array:
        """Make rows (n, n) of neighbours; number k becomes ``order[k]``, ``rank`` inverts that."""
        size = self._heaps.size
        indptr = np.concatenate([[0], np.cumsum(size[rank], dtype=np.int64)])
        data, indices = np.empty(indptr[-1], np.float32), np.empty(indptr[-1], np.int32)
        _copy_heaps(self._heaps, order.astype(np.int32), indptr, data, indices)
        return csr_array((data, indices, indptr), shape=(len(size), len(size)))


@numba.njit(nogil=True, cache=True, inline="always")
def _is_worse(value: float, index: int, other_value: float, other_index: int) -> bool:
    """Order of neighbours: smaller similarity is worse; of equal ones the later index is."""
    return value < other_value or (value == other_value and index > other_index)


@numba.njit(nogil=True, cache=True)
def _heap_sift_down(
    values: Float32Array, indices: Int32Array, size: int, hole: int, value: float, index: int
) -> None:
    """Put a neighbour into a min-heap at ``hole`` or below."""
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        right = child + 1
        if right < size and _is_worse(values[right], indices[right], values[child], indices[child]):
            child = right
        if not _is_worse(values[child], indices[child], value, index):
            break
        values[hole], indices[hole] = values[child], indices[child]
        hole = child
    values[hole], indices[hole] = value, index


@numba.njit(nogil=True, cache=True)
def _fill_heaps_from_rows(
    first: int,
    last: int,
    block_first: int,
    block: tuple[Int64Array, Int32Array, Int32Array, Float32Array],
    heaps: NeighbourHeaps,
) -> None:
    """Start the heap of each row i in [first, last) with the best of its j < i."""
    row_start, row_size, row_index, row_value = block
    values, indices, size = heaps
    capacity = values.shape[1]
    for i in range(first, last):
        begin, found = row_start[i - block_first], row_size[i - block_first]
        value, index = row_value[begin : begin + found], row_index[begin : begin + found]
        kept = min(capacity, found)
        if kept < found:
            quickselect_largest(index, value, kept)
        values[i, :kept] = value[:kept]
        indices[i, :kept] = index[:kept]
        for hole in range(kept // 2 - 1, -1, -1):
            _heap_sift_down(values[i], indices[i], kept, hole, values[i, hole], indices[i, hole])
        size[i] = kept


@numba.njit(nogil=True, cache=True)
def _push_columns_to_heaps(
    first: int,
    last: int,
    block_first: int,
    block_last: int,
    block: tuple[Int64Array, Int32Array, Int32Array, Float32Array],
    heaps: NeighbourHeaps,
) -> None:
    """Push the i > j among the rows of a block to the heap of each j in [first, last)."""
    row_start, row_size, row_index, row_value = block
    values, indices, size = heaps
    capacity = values.shape[1]
    for i in range(block_first, block_last):
        begin = row_start[i - block_first]
        for k in range(begin, begin + row_size[i - block_first]):
            j, value = row_index[k], row_value[k]
            if j < first or j >= last:
                continue
            if size[j] < capacity:
                hole = size[j]
                while hole > 0:
                    parent = (hole - 1) >> 1
                    if not _is_worse(value, i, values[j, parent], indices[j, parent]):
                        break
                    values[j, hole], indices[j, hole] = values[j, parent], indices[j, parent]
                    hole = parent
                values[j, hole], indices[j, hole] = value, i
                size[j] += 1
            elif value > values[j, 0]:
                # An equal one is not better: i only grows, and of equals the earlier index wins.
                _heap_sift_down(values[j], indices[j], capacity, 0, value, i)


@numba.njit(nogil=True, cache=True)
def _copy_heaps(
    heaps: NeighbourHeaps,
    order: Int32Array,
    indptr: Int64Array,
    data: Float32Array,
    indices: Int32Array,
) -> None:
    """Copy the heaps into the rows of a CSR matrix over the items in their original order."""
    for i in range(len(heaps.size)):
        begin = indptr[order[i]]
        for k in range(heaps.size[i]):
            data[begin + k] = heaps.values[i, k]
            indices[begin + k] = order[heaps.indices[i, k]]


BLOCK_ROWS = 256
RANGES_PER_THREAD = 4


def pearson_baseline_similarity(
    ratings: GroupedRatings,
    residual: Float64Array,
    *,
    shrinkage: float = 100.0,
    min_support: int = 1,
    neighbours: int = 500,
    threads: int | None = None,
    on_progress: ProgressCallback = no_progress,
) -> csr_array:
    """Find the ``neighbours`` most similar items of each, positive similarities only.

    Memory: ``neighbours`` x n_items x 8 bytes, and a block of 256 rows; no items x items array.

    Parameters
    ----------
    residual
        (n_ratings,) e_ui of the ratings grouped by user.

    Returns
    -------
    csr_array
        (n_items, n_items) float32 in the original order of the items; row i holds sim_ij of the
        neighbours j of i, columns in no order.
    """
    blocks = similarity_rows(
        ratings, residual, shrinkage=shrinkage, min_support=min_support, threads=threads
    )
    count = np.diff(ratings.item_indptr)
    return select_neighbours(
        blocks,
        ratings.order,
        ratings.rank,
        count,
        neighbours,
        threads=threads,
        on_progress=on_progress,
    )


def similarity_rows(
    ratings: GroupedRatings,
    residual: Float64Array,
    *,
    shrinkage: float,
    min_support: int = 1,
    threads: int | None = None,
) -> Iterator[SimilarityRows]:
    """Yield blocks (`BLOCK_ROWS`, n); the next overwrites the one before."""
    n_items = ratings.n_items
    n_rows = min(BLOCK_ROWS, n_items)
    start = np.arange(n_rows, dtype=np.int64) * n_items
    size = np.empty(n_rows, np.int32)
    index, value = np.empty(n_rows * n_items, np.int32), np.empty(n_rows * n_items, np.float32)
    block = index.reshape(n_rows, n_items), value.reshape(n_rows, n_items), size
    row_pairs = ratings.count_item_pairs()  # what a row costs
    threads = threads or available_cpus()
    scratch: SimpleQueue[tuple[Float64Array, Int32Array]] = SimpleQueue()
    for _ in range(threads):
        scratch.put((np.zeros((n_items, 4)), np.empty(n_items, np.int32)))

    def fill_rows(first: int, last: int, block_first: int) -> None:
        sums, touched = scratch.get()
        _compute_similarity_rows(
            first,
            last,
            block_first,
            ratings.index,
            residual,
            row_pairs,
            shrinkage,
            max(2, min_support),
            sums,
            touched,
            *block,
        )
        scratch.put((sums, touched))

    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, n_items, BLOCK_ROWS):
            last = min(first + BLOCK_ROWS, n_items)
            cost = row_pairs[first:last] + 1
            ranges = balanced_ranges(cost, threads * RANGES_PER_THREAD, first)
            run_over_ranges(pool, fill_rows, ranges, first)
            yield SimilarityRows(first, start, size[: last - first], index, value)


@numba.njit(nogil=True, cache=True, inline="always")
def _prefetch_user_list(p: int, last: int, index: UserItemIndex, residual: Float64Array) -> None:
    """Fetch the beginning of the list that is walked `PREFETCH_DISTANCE` lists later."""
    user_indptr, user_item, _, item_user, item_position = index
    if p + PREFETCH_DISTANCE < last:
        position = np.int64(item_position[p + PREFETCH_DISTANCE])
        prefetch_element(residual, position)
        begin = user_indptr[item_user[p + PREFETCH_DISTANCE]]
        for k in range(begin, min(position, begin + PREFETCH_ENTRIES), 16):
            prefetch_element(user_item, k)
            prefetch_element(residual, k)
            prefetch_element(residual, k + 8)


@numba.njit(nogil=True, cache=True, inline="always")
def shrunk_similarity(sums: Float64Array, j: int, shrinkage: float, min_support: int) -> float:
    """Shrink the similarity of pair j of accumulated ``sums`` (n, 4); 0 where negative."""
    support, product, left, right = sums[j, 0], sums[j, 1], sums[j, 2], sums[j, 3]
    if support < min_support or product <= 0.0:
        return 0.0
    return float(product / np.sqrt(left * right) * (support - 1.0) / (support - 1.0 + shrinkage))


@numba.njit(nogil=True, cache=True)
def accumulate_pearson_pairs(
    i: int, index: UserItemIndex, residual: Float64Array, sums: Float64Array
) -> None:
    """Add (1, e_i e_j, e_i^2, e_j^2) of every user to ``sums[j]`` of (n, 4), for each j < i."""
    user_indptr, user_item, item_indptr, item_user, item_position = index
    last = item_indptr[i + 1]
    for p in range(item_indptr[i], last):
        _prefetch_user_list(p, last, index, residual)
        position = item_position[p]
        left = residual[position]
        # Unsigned: no test for an index from the end in the innermost loop.
        for q in range(np.uint64(user_indptr[item_user[p]]), np.uint64(position)):
            add_pearson_terms(sums, np.int64(user_item[q]), left, residual[q])


@numba.njit(nogil=True, cache=True)
def _accumulate_sparse_pairs(
    i: int, index: UserItemIndex, residual: Float64Array, sums: Float64Array, touched: Int32Array
) -> int:
    """`accumulate_pearson_pairs` that also writes down the j it met; returns how many."""
    n_touched = 0
    user_indptr, user_item, item_indptr, item_user, item_position = index
    last = item_indptr[i + 1]
    for p in range(item_indptr[i], last):
        _prefetch_user_list(p, last, index, residual)
        position = item_position[p]
        left = residual[position]
        for q in range(np.uint64(user_indptr[item_user[p]]), np.uint64(position)):
            j = user_item[q]
            if sums[j, 0] == 0.0:
                touched[n_touched] = j
                n_touched += 1
            add_pearson_terms(sums, np.int64(j), left, residual[q])
    return n_touched


@numba.njit(nogil=True, cache=True)
def _compute_similarity_rows(
    first: int,
    last: int,
    block_first: int,
    index: UserItemIndex,
    residual: Float64Array,
    row_pairs: Int64Array,
    shrinkage: float,
    min_support: int,
    sums: Float64Array,
    touched: Int32Array,
    block_index: Int32Array,
    block_value: Float32Array,
    block_size: Int32Array,
) -> None:
    """Find the positive similarities of each i in [first, last) to every j < i.

    Row i of the block (at ``i - block_first``) receives the j and the values. ``item_position``
    says where a rating stands in its user's list, so the walk over that list stops exactly at the
    diagonal: each pair of items is visited once. ``row_pairs`` is the length of that walk. ``sums``
    (n_items, 4) is this thread's accumulator, all zero on entry and on return; ``touched``
    (n_items,) is its scratch space.
    """
    for i in range(first, last):
        neighbour, value = block_index[i - block_first], block_value[i - block_first]
        # Where few are met, look at those alone instead of at every j.
        few = row_pairs[i] <= i
        if few:
            n_touched = _accumulate_sparse_pairs(i, index, residual, sums, touched)
        else:
            accumulate_pearson_pairs(i, index, residual, sums)
            n_touched = i
        found = 0
        for m in range(n_touched):
            j = touched[m] if few else m
            similarity = shrunk_similarity(sums, j, shrinkage, min_support)
            sums[j, 0] = sums[j, 1] = sums[j, 2] = sums[j, 3] = 0.0
            if similarity > 0.0:
                neighbour[found], value[found] = j, similarity
                found += 1
        block_size[i - block_first] = found
