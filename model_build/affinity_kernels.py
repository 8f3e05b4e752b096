"""The compiled inner loop of the affinity. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from model_build.intrinsics import add_outer, fetch

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

AHEAD, FETCHED = 6, 64
"""Lists are fetched so many ahead, and so many entries of each; measured."""


@numba.njit(nogil=True, cache=True)
def meet(
    i: int,
    anime_start: Longs,
    anime_fan: Ints,
    anime_position: Ints,
    fan_start: Longs,
    fan_anime: Ints,
    given: Singles,
    wanted: Singles,
    sums: Floats,
) -> None:
    """Add to ``sums[j]`` what anime i and each j <= i have in common: x_i x_j, x_i y_j, y_i x_j."""
    stop = anime_start[i + 1]
    for p in range(anime_start[i], stop):
        if p + AHEAD < stop:
            ahead = np.int64(anime_position[p + AHEAD])
            begin = fan_start[anime_fan[p + AHEAD]]
            fetch(given, ahead)
            fetch(wanted, ahead)
            for k in range(begin, min(ahead, begin + FETCHED), 16):
                fetch(fan_anime, k)
                fetch(given, k)
                fetch(wanted, k)
        position = anime_position[p]
        x, y = np.float64(given[position]), np.float64(wanted[position])
        for q in range(np.uint64(fan_start[anime_fan[p]]), np.uint64(position) + np.uint64(1)):
            add_outer(
                sums,
                np.int64(fan_anime[q]),
                x,
                y,
                np.float64(given[q]),
                np.float64(wanted[q]),
            )


@numba.njit(nogil=True, cache=True)
def gram_rows(
    first: int,
    last: int,
    anime_start: Longs,
    anime_fan: Ints,
    anime_position: Ints,
    fan_start: Longs,
    fan_anime: Ints,
    given: Singles,
    wanted: Singles,
    gram: Singles,
    cross: Singles,
) -> None:
    """Add to X'X and X'Y what the anime i in [first, last) and the j <= i have in common.

    Lists hold their anime in ascending order, and ``anime_position`` says where i stands in each,
    so that every pair of anime is met once: its four products are added up together, in double
    precision. Of ``gram`` only the lower triangle is written; of ``cross`` row and column i.
    """
    sums = np.zeros((last, 4))
    lists = (anime_start, anime_fan, anime_position, fan_start, fan_anime, given, wanted)
    for i in range(first, last):
        meet(i, *lists, sums)
        for j in range(i):
            gram[i, j] += sums[j, 0]
            cross[i, j] += sums[j, 1]
            cross[j, i] += sums[j, 2]
            sums[j, 0] = sums[j, 1] = sums[j, 2] = sums[j, 3] = 0.0
        gram[i, i] += sums[i, 0]
        cross[i, i] += sums[i, 1]
        sums[i, 0] = sums[i, 1] = sums[i, 2] = sums[i, 3] = 0.0
