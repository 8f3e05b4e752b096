"""The nearest neighbours of each anime, kept while similarities come in blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import Float32Array, Int32Array, Int64Array
from model_build.util.threads import run_over_ranges

SimilarityBlock = tuple[Int32Array, Float32Array, Int32Array]
"""Columns and values (rows, n_items), and how many each row has (rows,)."""
IndexRanges = Sequence[tuple[int, int]]


class TopKNeighbours:
    """Heaps of the ``most`` nearest of each of ``n_items``: ``most`` x n_items x 8 bytes.

    Of equally similar neighbours those with the smaller number are kept.
    """

    def __init__(self, n_items: int, k: int) -> None:
        capacity = max(1, min(k, n_items - 1))
        self._values = np.empty((n_items, capacity), np.float32)
        self._indices = np.empty((n_items, capacity), np.int32)
        self._size = np.zeros(n_items, np.int32)

    def add_block(
        self,
        pool: ThreadPoolExecutor,
        first: int,
        block: SimilarityBlock,
        rows: IndexRanges,
        columns: IndexRanges,
    ) -> None:
        """Take the similarities of the anime from ``first`` to smaller ones, block after block.

        ``rows`` and ``columns`` say how threads share the rows of the block and all columns.
        """
        kept = (*block, self._values, self._indices, self._size)
        last = rows[-1][1]
        run_over_ranges(pool, fill_heaps_from_rows, rows, first, *kept)
        run_over_ranges(pool, push_columns_to_heaps, columns, first, last, *kept)

    def to_csr(self, order: Int64Array, rank: Int64Array) -> csr_array:
        """Rows of neighbours; number k becomes ``order[k]``, of which ``rank`` is the inverse."""
        size = self._size
        start = np.concatenate([[0], np.cumsum(size[rank], dtype=np.int64)])
        kept_value = np.empty(start[-1], np.float32)
        kept_index = np.empty(start[-1], np.int32)
        heaps_to_csr(
            self._values, self._indices, size, order.astype(np.int32), start, kept_value, kept_index
        )
        return csr_array((kept_value, kept_index, start), shape=(len(size), len(size)))


@numba.njit(nogil=True, cache=True, inline="always")
def _is_worse(value: float, index: int, other_value: float, other_index: int) -> bool:
    """Order of neighbours: smaller similarity is worse; of equal ones the later index is."""
    return value < other_value or (value == other_value and index > other_index)


@numba.njit(nogil=True, cache=True)
def _heap_sift_down(
    values: Float32Array, indices: Int32Array, size: int, hole: int, value: float, index: int
) -> None:
    """Put a neighbour into a min-heap at ``hole`` or below, where it belongs."""
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
def _partition_topk(values: Float32Array, indices: Int32Array, size: int, k: int) -> None:
    """Reorder so that the ``keep`` best of the first ``size`` come first (Hoare's quickselect)."""
    low, high = 0, size - 1
    while low < high:
        middle = (low + high) >> 1
        pivot, pivot_index = values[middle], indices[middle]
        i, j = low, high
        while i <= j:
            while _is_worse(pivot, pivot_index, values[i], indices[i]):
                i += 1
            while _is_worse(values[j], indices[j], pivot, pivot_index):
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                indices[i], indices[j] = indices[j], indices[i]
                i, j = i + 1, j - 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break


@numba.njit(nogil=True, cache=True)
def fill_heaps_from_rows(
    first: int,
    last: int,
    block_first: int,
    block_index: Int32Array,
    block_value: Float32Array,
    block_size: Int32Array,
    values: Float32Array,
    indices: Int32Array,
    size: Int32Array,
) -> None:
    """Start the heap of each row i in [first, last) with the best of the j < i that it found."""
    capacity = values.shape[1]
    for i in range(first, last):
        row = i - block_first
        kept = min(capacity, block_size[row])
        if kept < block_size[row]:
            _partition_topk(block_value[row], block_index[row], block_size[row], kept)
        values[i, :kept] = block_value[row, :kept]
        indices[i, :kept] = block_index[row, :kept]
        for hole in range(kept // 2 - 1, -1, -1):
            _heap_sift_down(values[i], indices[i], kept, hole, values[i, hole], indices[i, hole])
        size[i] = kept


@numba.njit(nogil=True, cache=True)
def push_columns_to_heaps(
    first: int,
    last: int,
    block_first: int,
    block_last: int,
    block_index: Int32Array,
    block_value: Float32Array,
    block_size: Int32Array,
    values: Float32Array,
    indices: Int32Array,
    size: Int32Array,
) -> None:
    """Offer the heap of each j in [first, last) its neighbours i > j among the rows of a block."""
    capacity = values.shape[1]
    for i in range(block_first, block_last):
        row = i - block_first
        for k in range(block_size[row]):
            j, value = block_index[row, k], block_value[row, k]
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
def heaps_to_csr(
    values: Float32Array,
    indices: Int32Array,
    size: Int32Array,
    order: Int32Array,
    start: Int64Array,
    kept_value: Float32Array,
    kept_index: Int32Array,
) -> None:
    """Copy what the heaps hold into the rows ``start`` of a matrix in the original numbering."""
    for i in range(len(size)):
        begin = start[order[i]]
        for k in range(size[i]):
            kept_value[begin + k] = values[i, k]
            kept_index[begin + k] = order[indices[i, k]]
