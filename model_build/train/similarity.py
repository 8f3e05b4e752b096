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

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numba
import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from model_build.data.grouping import GroupedRatings, UserItemIndex
from model_build.train.intrinsics import (
    PREFETCH_DISTANCE,
    PREFETCH_ENTRIES,
    add_pearson_terms,
    prefetch_element,
)
from model_build.train.topk_neighbours import SimilarityRows, select_neighbours
from model_build.util.progress import ProgressCallback, no_progress
from model_build.util.threads import available_cpus, balanced_ranges, run_over_ranges

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
    _, item_user, item_position, user_indptr, user_item = index
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
    item_indptr, item_user, item_position, user_indptr, user_item = index
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
    item_indptr, item_user, item_position, user_indptr, user_item = index
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
