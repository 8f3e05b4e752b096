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

import numpy as np
from scipy.sparse import csr_array
from tqdm import tqdm

from app.recommender.array_types import Float64Array, Int32Array
from model_build.data.grouping import GroupedRatings
from model_build.train import similarity_kernels as kernels
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
    kernels.count_item_pairs(
        ratings.item_start, ratings.item_user, ratings.item_position, ratings.user_start, row_cost
    )
    co_rated = np.diff(ratings.item_start) + 1
    threads = threads or available_cpus()
    scratch: SimpleQueue[tuple[Float64Array, Int32Array]] = SimpleQueue()
    for _ in range(threads):
        scratch.put((np.zeros((n_items, 4)), np.empty(n_items, np.int32)))

    def fill_rows(first: int, last: int, block_first: int) -> None:
        sums, met = scratch.get()
        kernels.compute_similarity_rows(
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
