"""The compiled inner loops of the baselines. Arrays in, arrays out; no policy.

Each call does the anime or fans [first, last), so that threads can share a step.
"""

from __future__ import annotations

import numba

from app.recommender.array_types import Float64Array, Int32Array, Int64Array


@numba.njit(nogil=True, cache=True)
def update_biases(
    first: int,
    last: int,
    start: Int64Array,
    other: Int32Array,
    centred: Float64Array,
    other_bias: Float64Array,
    reg: float,
    bias: Float64Array,
) -> None:
    """One half step of the alternating least squares, in place.

    ``start`` delimits what each has been given, by whom (``other``) or to what, and how much.
    """
    for i in range(first, last):
        total = 0.0
        for p in range(start[i], start[i + 1]):
            total += centred[p] - other_bias[other[p]]
        weight = reg + (start[i + 1] - start[i])
        bias[i] = total / weight if weight > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def subtract_biases(
    first: int,
    last: int,
    user_start: Int64Array,
    user_item: Int32Array,
    user_bias: Float64Array,
    item_bias: Float64Array,
    centred: Float64Array,
) -> None:
    """What biases leave of centred ratings, in place."""
    for u in range(first, last):
        for q in range(user_start[u], user_start[u + 1]):
            centred[q] = centred[q] - user_bias[u] - item_bias[user_item[q]]


@numba.njit(nogil=True, cache=True)
def sum_squared_residuals(
    first: int, last: int, user_start: Int64Array, residual: Float64Array, total: Float64Array
) -> None:
    """The sum of squared residuals of each fan."""
    for u in range(first, last):
        summed = 0.0
        for q in range(user_start[u], user_start[u + 1]):
            summed += residual[q] * residual[q]
        total[u] = summed
