"""The compiled loops that add up pairs of anime as blocks of rows. Arrays in, arrays out.

The inner loops are those of the similarity and the affinity; here sums stay sums, so that those of
different fans can be added before anything is made of them.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from model_build import affinity_kernels, kernels

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

_meet_scores = kernels.meet
_meet_entries = affinity_kernels.meet
_shrunk = kernels.shrunk


@numba.njit(nogil=True, cache=True)
def pearson_rows(
    first: int,
    last: int,
    block_first: int,
    item_start: Longs,
    item_user: Ints,
    item_position: Ints,
    user_start: Longs,
    user_item: Ints,
    value: Floats,
    block: Floats,
) -> None:
    """Add to ``block[i - block_first, j]`` (1, e_i e_j, e_i^2, e_j^2) of every meeting, j < i."""
    for i in range(first, last):
        _meet_scores(
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
def outer_rows(
    first: int,
    last: int,
    block_first: int,
    item_start: Longs,
    item_user: Ints,
    item_position: Ints,
    user_start: Longs,
    user_item: Ints,
    given: Singles,
    wanted: Singles,
    block: Floats,
) -> None:
    """Add to ``block[i - block_first, j]`` (x_i x_j, x_i y_j, y_i x_j, -) of every meeting,
    j <= i."""
    for i in range(first, last):
        _meet_entries(
            i,
            item_start,
            item_user,
            item_position,
            user_start,
            user_item,
            given,
            wanted,
            block[i - block_first],
        )


@numba.njit(nogil=True, cache=True)
def similarities(
    block_first: int,
    block: Floats,
    shrinkage: float,
    min_support: int,
    index: Ints,
    value: Singles,
    size: Ints,
) -> None:
    """The positive similarities of each row of a block, in the order of j; ``block`` is kept."""
    for row in range(len(block)):
        found = 0
        for j in range(block_first + row):
            similarity = _shrunk(block[row], j, shrinkage, min_support)
            if similarity > 0.0:
                index[row, found], value[row, found] = j, similarity
                found += 1
        size[row] = found


@numba.njit(nogil=True, cache=True)
def add_item_totals(
    user_start: Longs,
    user_item: Ints,
    rating: Floats,
    mean: float,
    user_bias: Floats,
    total: Floats,
) -> None:
    """Add to ``total`` of each item what is left of its ratings without mean and fans' biases."""
    for u in range(len(user_bias)):
        for q in range(user_start[u], user_start[u + 1]):
            total[user_item[q]] += rating[q] - mean - user_bias[u]
