"""Shrunk Pearson-baseline similarity over all pairs of anime, cut to the nearest neighbours.

Koren, "Factor in the Neighbors" (TKDD 2010), section 2.2, as
`surprise.similarities.pearson_baseline` computes it: over the users who rated both i and j,

    rho_ij = sum e_ui e_uj / sqrt(sum e_ui^2 * sum e_uj^2),   e_ui = r_ui - mu - b_u - b_i
    sim_ij = rho_ij * (n_ij - 1) / (n_ij - 1 + shrinkage)

and 0 below ``max(2, min_support)`` common users. Two differences, both on purpose: a pair whose
residuals are all zero has similarity 0 (Surprise divides by zero), and of neighbours that are
equally similar the more rated one is kept first.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numba
import numpy as np
from scipy.sparse import csr_array
from tqdm import tqdm

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from model_build.data.grouping import GroupedRatings
from model_build.train.intrinsics import add_pearson_terms, prefetch_element
from model_build.train.topk_neighbours import TopKNeighbours
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
    progress: bool = False,
) -> csr_array:
    """The ``neighbours`` most similar anime of each anime, positive similarities only.

    ``residual`` is parallel to the ratings grouped by user. Returns a (n_items, n_items) float32
    matrix in the original order of the anime, whose row i holds sim_ij of the neighbours j of i
    (columns in no order). Memory: ``neighbours`` x n_items x 8 bytes, and a block of 256 rows; no
    items x items array.
    """
    n_items = ratings.n_items
    nearest = TopKNeighbours(n_items, neighbours)
    rows = min(BLOCK_ROWS, n_items)
    block = (
        np.empty((rows, n_items), np.int32),
        np.empty((rows, n_items), np.float32),
        np.empty(rows, np.int32),
    )
    # What a row costs is what its raters' lists hold before it.
    row_cost = np.empty(n_items, np.int64)
    count_item_pairs(
        ratings.item_start, ratings.item_user, ratings.item_position, ratings.user_start, row_cost
    )
    co_rated = np.diff(ratings.item_start) + 1
    threads = threads or available_cpus()
    scratch: SimpleQueue[tuple[Float64Array, Int32Array]] = SimpleQueue()
    for _ in range(threads):
        scratch.put((np.zeros((n_items, 4)), np.empty(n_items, np.int32)))

    def fill_rows(first: int, last: int, block_first: int) -> None:
        sums, met = scratch.get()
        compute_similarity_rows(
            first,
            last,
            block_first,
            ratings.item_start,
            ratings.item_user,
            ratings.item_position,
            ratings.user_start,
            ratings.user_item,
            residual,
            row_cost,
            shrinkage,
            max(2, min_support),
            sums,
            met,
            *block,
        )
        scratch.put((sums, met))

    with (
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=n_items, desc="similarity", unit=" anime", disable=not progress) as bar,
    ):
        for first in range(0, n_items, BLOCK_ROWS):
            last = min(first + BLOCK_ROWS, n_items)
            row_ranges = balanced_ranges(
                row_cost[first:last] + 1, threads * RANGES_PER_THREAD, first
            )
            run_over_ranges(pool, fill_rows, row_ranges, first)
            # A column is met about as often as its anime is rated together with others.
            column_ranges = balanced_ranges(co_rated[:last], threads)
            nearest.add_block(pool, first, block, row_ranges, column_ranges)
            bar.update(last - first)
    return nearest.to_csr(ratings.order, ratings.rank)


PREFETCH_DISTANCE, PREFETCH_ENTRIES = 6, 64
"""How many lists ahead, and how many entries of each; measured."""


@numba.njit(nogil=True, cache=True, inline="always")
def _prefetch_user_list(
    p: int,
    last: int,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    residual: Float64Array,
) -> None:
    """Bring the beginning of the list near that is walked `AHEAD` lists later.

    Lists lie all over memory, and their first elements would each be waited for.
    """
    if p + PREFETCH_DISTANCE < last:
        position = np.int64(item_position[p + PREFETCH_DISTANCE])
        prefetch_element(residual, position)
        begin = user_start[item_user[p + PREFETCH_DISTANCE]]
        for k in range(begin, min(position, begin + PREFETCH_ENTRIES), 16):
            prefetch_element(user_item, k)
            prefetch_element(residual, k)
            prefetch_element(residual, k + 8)


@numba.njit(nogil=True, cache=True, inline="always")
def shrunk_similarity(sums: Float64Array, j: int, shrinkage: float, min_support: int) -> float:
    """The similarity of one accumulated pair, 0 where negative."""
    support, product, left, right = sums[j, 0], sums[j, 1], sums[j, 2], sums[j, 3]
    if support < min_support or product <= 0.0:
        return 0.0
    return float(product / np.sqrt(left * right) * (support - 1.0) / (support - 1.0 + shrinkage))


@numba.njit(nogil=True, cache=True)
def accumulate_pearson_pairs(
    i: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    residual: Float64Array,
    sums: Float64Array,
) -> None:
    """Add up every meeting of anime i with a j < i on some fan's list."""
    last = item_start[i + 1]
    for p in range(item_start[i], last):
        _prefetch_user_list(p, last, item_user, item_position, user_start, user_item, residual)
        position = item_position[p]
        left = residual[position]
        # Unsigned: no test for an index from the end in the innermost loop.
        for q in range(np.uint64(user_start[item_user[p]]), np.uint64(position)):
            add_pearson_terms(sums, np.int64(user_item[q]), left, residual[q])


@numba.njit(nogil=True, cache=True)
def _accumulate_sparse_pairs(
    i: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    residual: Float64Array,
    sums: Float64Array,
    touched: Int32Array,
) -> int:
    """`meet` that also writes down the j that it met; returns how many."""
    n_met = 0
    last = item_start[i + 1]
    for p in range(item_start[i], last):
        _prefetch_user_list(p, last, item_user, item_position, user_start, user_item, residual)
        position = item_position[p]
        left = residual[position]
        for q in range(np.uint64(user_start[item_user[p]]), np.uint64(position)):
            j = user_item[q]
            if sums[j, 0] == 0.0:
                touched[n_met] = j
                n_met += 1
            add_pearson_terms(sums, np.int64(j), left, residual[q])
    return n_met


@numba.njit(nogil=True, cache=True)
def count_item_pairs(
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    n_pairs: Int64Array,
) -> None:
    """How many entries stand before anime i on the lists of its raters, all together."""
    for i in range(len(n_pairs)):
        total = 0
        for p in range(item_start[i], item_start[i + 1]):
            total += item_position[p] - user_start[item_user[p]]
        n_pairs[i] = total


@numba.njit(nogil=True, cache=True)
def compute_similarity_rows(
    first: int,
    last: int,
    block_first: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
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
    diagonal: each pair of anime is visited once. ``row_cost`` is the length of that walk. ``sums``
    (n_items, 4) is this thread's accumulator, all zero on entry and on return; ``met`` (n_items,)
    is its scratch space.
    """
    for i in range(first, last):
        ratings = (item_start, item_user, item_position, user_start, user_item, residual)
        index, value = block_index[i - block_first], block_value[i - block_first]
        # Where few are met, look at those alone instead of at every j.
        few = row_pairs[i] <= i
        if few:
            n_met = _accumulate_sparse_pairs(i, *ratings, sums, touched)
        else:
            accumulate_pearson_pairs(i, *ratings, sums)
            n_met = i
        found = 0
        for m in range(n_met):
            j = touched[m] if few else m
            similarity = shrunk_similarity(sums, j, shrinkage, min_support)
            sums[j, 0] = sums[j, 1] = sums[j, 2] = sums[j, 3] = 0.0
            if similarity > 0.0:
                index[found], value[found] = j, similarity
                found += 1
        block_size[i - block_first] = found
