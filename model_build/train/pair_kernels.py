"""The compiled loops that add up pairs of anime as blocks of rows. Arrays in, arrays out.

The inner loops are those of the similarity and the affinity; here sums stay sums, so that those of
different fans can be added before anything is made of them.
"""

from __future__ import annotations

import numba

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from model_build.train import affinity_kernels
from model_build.train import similarity_kernels as kernels

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
