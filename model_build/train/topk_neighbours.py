"""The nearest neighbours of each item, selected while similarities come in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import Float32Array, Int32Array, Int64Array
from app.recommender.kernels import quickselect_largest
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


class TopKNeighbours:
    """A heap of the ``k`` nearest of each of ``n_items``."""

    def __init__(self, n_items: int, k: int) -> None:
        capacity = max(1, min(k, n_items - 1))
        self._values = np.empty((n_items, capacity), np.float32)
        self._indices = np.empty((n_items, capacity), np.int32)
        self._size = np.zeros(n_items, np.int32)

    def add_rows(
        self,
        pool: ThreadPoolExecutor,
        rows: SimilarityRows,
        row_ranges: list[tuple[int, int]],
        column_ranges: list[tuple[int, int]],
    ) -> None:
        """Take the next block; the ranges say how threads share its rows and all its columns."""
        block = (rows.start, rows.size, rows.index, rows.value)
        heaps = (self._values, self._indices, self._size)
        run_over_ranges(pool, _fill_heaps_from_rows, row_ranges, rows.first, *block, *heaps)
        run_over_ranges(
            pool, _push_columns_to_heaps, column_ranges, rows.first, rows.last, *block, *heaps
        )

    def to_csr(self, order: Int64Array, rank: Int64Array) -> csr_array:
        """Make rows (n, n) of neighbours; number k becomes ``order[k]``, ``rank`` inverts that."""
        size = self._size
        indptr = np.concatenate([[0], np.cumsum(size[rank], dtype=np.int64)])
        data, indices = np.empty(indptr[-1], np.float32), np.empty(indptr[-1], np.int32)
        _copy_heaps(
            self._values, self._indices, size, order.astype(np.int32), indptr, data, indices
        )
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
    row_start: Int64Array,
    row_size: Int32Array,
    row_index: Int32Array,
    row_value: Float32Array,
    values: Float32Array,
    indices: Int32Array,
    size: Int32Array,
) -> None:
    """Start the heap of each row i in [first, last) with the best of its j < i."""
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
    row_start: Int64Array,
    row_size: Int32Array,
    row_index: Int32Array,
    row_value: Float32Array,
    values: Float32Array,
    indices: Int32Array,
    size: Int32Array,
) -> None:
    """Push the i > j among the rows of a block to the heap of each j in [first, last)."""
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
    values: Float32Array,
    indices: Int32Array,
    size: Int32Array,
    order: Int32Array,
    indptr: Int64Array,
    data: Float32Array,
    indices_out: Int32Array,
) -> None:
    """Copy the heaps into the rows of a CSR matrix over the items in their original order."""
    for i in range(len(size)):
        begin = indptr[order[i]]
        for k in range(size[i]):
            data[begin + k] = values[i, k]
            indices_out[begin + k] = order[indices[i, k]]
