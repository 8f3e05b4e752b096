"""The compiled inner loop of the affinity. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba
import numpy as np

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from model_build.train.intrinsics import add_outer_product, prefetch_element

PREFETCH_DISTANCE, PREFETCH_ENTRIES = 6, 64
"""Lists are fetched so many ahead, and so many entries of each; measured."""


@numba.njit(nogil=True, cache=True)
def accumulate_gram_pairs(
    i: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    input_weight: Float32Array,
    relevance: Float32Array,
    sums: Float64Array,
) -> None:
    """Add to ``sums[j]`` what anime i and each j <= i have in common: x_i x_j, x_i y_j, y_i x_j."""
    stop = item_start[i + 1]
    for p in range(item_start[i], stop):
        if p + PREFETCH_DISTANCE < stop:
            ahead = np.int64(item_position[p + PREFETCH_DISTANCE])
            begin = user_start[item_user[p + PREFETCH_DISTANCE]]
            prefetch_element(input_weight, ahead)
            prefetch_element(relevance, ahead)
            for k in range(begin, min(ahead, begin + PREFETCH_ENTRIES), 16):
                prefetch_element(user_item, k)
                prefetch_element(input_weight, k)
                prefetch_element(relevance, k)
        position = item_position[p]
        x, y = np.float64(input_weight[position]), np.float64(relevance[position])
        for q in range(np.uint64(user_start[item_user[p]]), np.uint64(position) + np.uint64(1)):
            add_outer_product(
                sums,
                np.int64(user_item[q]),
                x,
                y,
                np.float64(input_weight[q]),
                np.float64(relevance[q]),
            )


@numba.njit(nogil=True, cache=True)
def accumulate_gram_rows(
    first: int,
    last: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    input_weight: Float32Array,
    relevance: Float32Array,
    gram: Float32Array,
    cross: Float32Array,
) -> None:
    """Add to X'X and X'Y what the anime i in [first, last) and the j <= i have in common.

    Lists hold their anime in ascending order, and ``anime_position`` says where i stands in each,
    so that every pair of anime is met once: its four products are added up together, in double
    precision. Of ``gram`` only the lower triangle is written; of ``cross`` row and column i.
    """
    sums = np.zeros((last, 4))
    lists = (item_start, item_user, item_position, user_start, user_item, input_weight, relevance)
    for i in range(first, last):
        accumulate_gram_pairs(i, *lists, sums)
        for j in range(i):
            gram[i, j] += sums[j, 0]
            cross[i, j] += sums[j, 1]
            cross[j, i] += sums[j, 2]
            sums[j, 0] = sums[j, 1] = sums[j, 2] = sums[j, 3] = 0.0
        gram[i, i] += sums[i, 0]
        cross[i, i] += sums[i, 1]
        sums[i, 0] = sums[i, 1] = sums[i, 2] = sums[i, 3] = 0.0
