"""The compiled loops of the standard scores' Gaussian. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba
import numpy as np

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array


@numba.njit(nogil=True, cache=True)
def fill_user_covariance(
    items: Int32Array,
    covariance: Float32Array,
    noise: Float32Array,
    user_bias_variance: float,
    user_covariance: Float32Array,
) -> None:
    """The lower triangle of K = S_RR + level_variance 11' + diag(noise_R), R ascending."""
    for x in range(len(items)):
        row = covariance[items[x]]
        for y in range(x + 1):
            user_covariance[x, y] = row[items[y]] + user_bias_variance
        user_covariance[x, x] += noise[items[x]]


@numba.njit(nogil=True, cache=True)
def accumulate_gradients(
    items: Int32Array,
    value: Float32Array,
    inverse: Float32Array,
    noise: Float32Array,
    gradients: Float32Array,
    entry_count: Float64Array,
    noise_sum: Float64Array,
) -> None:
    """Add up what a fan says about covariance and noise; of K^-1 the lower triangle is read.

    With a = K^-1 y: ``pull[R, R]`` receives the lower triangle of a a' - K^-1, ``noise_sum`` the
    expected squared noise of each entry.
    """
    n = len(items)
    a = np.zeros(n, np.float32)
    for x in range(n):
        total = np.float32(0.0)
        for y in range(x):
            total += inverse[x, y] * value[y]
            a[y] += inverse[x, y] * value[x]
        a[x] += total + inverse[x, x] * value[x]
    for x in range(n):
        i = items[x]
        row = gradients[i]
        for y in range(x + 1):
            row[items[y]] += a[x] * a[y] - inverse[x, y]
        entry_count[i] += 1.0
        noise_sum[i] += noise[i] ** 2 * (a[x] * a[x] - inverse[x, x]) + noise[i]


@numba.njit(nogil=True, cache=True)
def count_items_below(
    user_start: Int64Array, user_item: Int32Array, below: int, count: Int64Array
) -> None:
    """How many items with a number below ``below`` each fan has; they come first."""
    for user in range(len(count)):
        first, last = user_start[user], user_start[user + 1]
        count[user] = np.searchsorted(user_item[first:last], below)
