"""The compiled inner loop of the affinity. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@numba.njit(nogil=True, cache=True)
def gram_rows(
    first: int,
    last: int,
    anime_start: Ints,
    anime_fan: Ints,
    anime_given: Singles,
    fan_start: Ints,
    fan_anime: Ints,
    given: Singles,
    wanted: Singles,
    gram: Singles,
    cross: Singles,
) -> None:
    """Rows [first, last) of X'X and X'Y: walk the lists of all fans of an anime."""
    for i in range(first, last):
        gram_row, cross_row = gram[i], cross[i]
        for p in range(anime_start[i], anime_start[i + 1]):
            fan, own = anime_fan[p], anime_given[p]
            for q in range(np.uint64(fan_start[fan]), np.uint64(fan_start[fan + 1])):
                j = np.uint64(fan_anime[q])
                gram_row[j] += own * given[q]
                cross_row[j] += own * wanted[q]
