"""The compiled inner loops of the baselines. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


@numba.njit(nogil=True, cache=True)
def item_biases(
    item_start: Longs,
    item_user: Ints,
    item_position: Longs,
    centred: Floats,
    user_bias: Floats,
    reg_item: float,
    item_bias: Floats,
) -> None:
    """One half step of the alternating least squares: b_i given b_u, in place."""
    for i in range(len(item_bias)):
        total = 0.0
        for p in range(item_start[i], item_start[i + 1]):
            total += centred[item_position[p]] - user_bias[item_user[p]]
        weight = reg_item + (item_start[i + 1] - item_start[i])
        item_bias[i] = total / weight if weight > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def user_biases(
    user_start: Longs,
    user_item: Ints,
    centred: Floats,
    item_bias: Floats,
    reg_user: float,
    user_bias: Floats,
) -> None:
    """The other half step: b_u given b_i, in place."""
    for u in range(len(user_bias)):
        total = 0.0
        for q in range(user_start[u], user_start[u + 1]):
            total += centred[q] - item_bias[user_item[q]]
        weight = reg_user + (user_start[u + 1] - user_start[u])
        user_bias[u] = total / weight if weight > 0 else 0.0
