"""The compiled loops of the standard scores' Gaussian. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


@numba.njit(nogil=True, cache=True)
def gather(
    anime: Ints, covariance: Singles, noise: Singles, level_variance: float, kernel: Singles
) -> None:
    """The lower triangle of K = S_RR + level_variance 11' + diag(noise_R), R ascending."""
    for x in range(len(anime)):
        row = covariance[anime[x]]
        for y in range(x + 1):
            kernel[x, y] = row[anime[y]] + level_variance
        kernel[x, x] += noise[anime[x]]


@numba.njit(nogil=True, cache=True)
def scatter(
    anime: Ints,
    value: Singles,
    inverse: Singles,
    noise: Singles,
    pull: Singles,
    seen: Floats,
    noise_sum: Floats,
) -> None:
    """Add up what a fan says about covariance and noise; of K^-1 the lower triangle is read.

    With a = K^-1 y: ``pull[R, R]`` receives the lower triangle of a a' - K^-1, ``noise_sum`` the
    expected squared noise of each entry.
    """
    n = len(anime)
    a = np.zeros(n, np.float32)
    for x in range(n):
        total = np.float32(0.0)
        for y in range(x):
            total += inverse[x, y] * value[y]
            a[y] += inverse[x, y] * value[x]
        a[x] += total + inverse[x, x] * value[x]
    for x in range(n):
        i = anime[x]
        row = pull[i]
        for y in range(x + 1):
            row[anime[y]] += a[x] * a[y] - inverse[x, y]
        seen[i] += 1.0
        noise_sum[i] += noise[i] ** 2 * (a[x] * a[x] - inverse[x, x]) + noise[i]


@numba.njit(nogil=True, cache=True)
def counts_below(user_start: Longs, user_item: Ints, below: int, count: Longs) -> None:
    """How many items with a number below ``below`` each fan has; they come first."""
    for fan in range(len(count)):
        first, last = user_start[fan], user_start[fan + 1]
        count[fan] = np.searchsorted(user_item[first:last], below)
