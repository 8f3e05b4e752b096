"""The compiled inner loops of the baselines. Arrays in, arrays out; no policy.

Each call does the anime or fans [first, last), so that threads can share a step.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


@numba.njit(nogil=True, cache=True)
def biases(
    first: int,
    last: int,
    start: Longs,
    other: Ints,
    centred: Floats,
    other_bias: Floats,
    reg: float,
    bias: Floats,
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
def residuals(
    first: int,
    last: int,
    user_start: Longs,
    user_item: Ints,
    user_bias: Floats,
    item_bias: Floats,
    centred: Floats,
) -> None:
    """What biases leave of centred ratings, in place."""
    for u in range(first, last):
        for q in range(user_start[u], user_start[u + 1]):
            centred[q] = centred[q] - user_bias[u] - item_bias[user_item[q]]


@numba.njit(nogil=True, cache=True)
def squares(first: int, last: int, user_start: Longs, residual: Floats, total: Floats) -> None:
    """The sum of squared residuals of each fan."""
    for u in range(first, last):
        summed = 0.0
        for q in range(user_start[u], user_start[u + 1]):
            summed += residual[q] * residual[q]
        total[u] = summed
