"""The nearest neighbours of each anime, kept while similarities come in blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import Float32Array, Int32Array, Int64Array
from model_build.train import topk_kernels as neighbour_kernels
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
        run_over_ranges(pool, neighbour_kernels.fill_heaps_from_rows, rows, first, *kept)
        run_over_ranges(pool, neighbour_kernels.push_columns_to_heaps, columns, first, last, *kept)

    def to_csr(self, order: Int64Array, rank: Int64Array) -> csr_array:
        """Rows of neighbours; number k becomes ``order[k]``, of which ``rank`` is the inverse."""
        size = self._size
        start = np.concatenate([[0], np.cumsum(size[rank], dtype=np.int64)])
        kept_value = np.empty(start[-1], np.float32)
        kept_index = np.empty(start[-1], np.int32)
        neighbour_kernels.heaps_to_csr(
            self._values, self._indices, size, order.astype(np.int32), start, kept_value, kept_index
        )
        return csr_array((kept_value, kept_index, start), shape=(len(size), len(size)))
