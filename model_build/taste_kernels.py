"""The compiled inner loop of the Gaussian's expectation step. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


@numba.njit(nogil=True, cache=True)
def expect(
    first: int,
    last: int,
    start: Longs,
    anime: Ints,
    value: Singles,
    covariance: Singles,
    noise: Singles,
    level_variance: float,
    pull: Singles,
    seen: Floats,
    noise_sum: Floats,
) -> None:
    """Add up what the fans [first, last) say about covariance and noise.

    With K = S_RR + level_variance 11' + diag(noise_R) and a = K^-1 y: ``pull[R, R]`` receives
    a a' - K^-1, ``noise_sum`` the expected squared noise of each entry.
    """
    for fan in range(first, last):
        begin = start[fan]
        n = start[fan + 1] - begin
        kernel = np.empty((n, n), np.float32)
        deviation = np.empty(n, np.float32)
        for x in range(n):
            i = anime[begin + x]
            deviation[x] = value[begin + x]
            row = covariance[i]
            for y in range(n):
                kernel[x, y] = row[anime[begin + y]] + level_variance
            kernel[x, x] += noise[i]
        inverse = np.linalg.inv(kernel)
        a = inverse @ deviation
        for x in range(n):
            i = anime[begin + x]
            row = pull[i]
            for y in range(n):
                row[anime[begin + y]] += a[x] * a[y] - inverse[x, y]
            seen[i] += 1.0
            noise_sum[i] += noise[i] ** 2 * (a[x] * a[x] - inverse[x, x]) + noise[i]
