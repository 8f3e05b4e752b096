"""The compiled loop over the fans of a block of scores. No policy."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

OPEN, SEEN, WANTED = 0, 1, 2

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Kinds = npt.NDArray[np.uint8]


@numba.njit(nogil=True, cache=True, inline="always")
def _beaten(aim: Singles, score: float) -> float:
    """By how many of ``aim`` (ascending) a score is beaten; those that equal it count half."""
    low, high = 0, len(aim)
    while low < high:
        middle = (low + high) >> 1
        if aim[middle] < score:
            low = middle + 1
        else:
            high = middle
    ties = low
    while ties < len(aim) and aim[ties] == score:
        ties += 1
    return (len(aim) - ties) + 0.5 * (ties - low)


@numba.njit(nogil=True, cache=True, inline="always")
def _enter(best: npt.NDArray[np.int64], filled: int, row: Singles, at: int) -> int:
    """Put ``at`` among the best if it belongs there; how many there are then."""
    if filled == len(best) and not row[at] > row[best[filled - 1]]:
        return filled
    filled = min(filled + 1, len(best))
    place = filled - 1
    while place > 0 and row[at] > row[best[place - 1]]:
        best[place] = best[place - 1]
        place -= 1
    best[place] = at
    return filled


@numba.njit(nogil=True, cache=True)
def _look_at_one(
    row: Singles, kind: Kinds, aim: Singles, best: npt.NDArray[np.int64]
) -> tuple[float, int]:
    """The AUC, and how many of the places of ``best`` are filled."""
    beaten, rivals, filled = 0.0, 0, 0
    for at in range(len(row)):
        if kind[at] == SEEN:
            continue
        if kind[at] == OPEN:
            rivals += 1
            beaten += _beaten(aim, row[at])
        filled = _enter(best, filled, row, at)
    return (beaten / (len(aim) * rivals) if rivals else np.nan), filled


@numba.njit(nogil=True, cache=True)
def look(
    scores: Singles,
    first: int,
    seen_start: Ints,
    seen: Ints,
    wanted_start: Ints,
    wanted: Ints,
    auc: npt.NDArray[np.float64],
    hits: npt.NDArray[np.bool_],
) -> None:
    """Fill ``auc`` and ``hits`` (fans, places) for the fans of ``scores`` (rows, n).

    The first row is that of fan ``first``. What is seen takes no part. Of equal scores the one
    further left ranks first; for the AUC such pairs count half. A fan of whom nothing is wanted
    gets NaN.
    """
    rows, n = scores.shape
    places = hits.shape[1]
    best = np.empty(places, np.int64)
    for row in range(rows):
        fan = first + row
        aims = wanted[wanted_start[fan] : wanted_start[fan + 1]]
        if len(aims) == 0:
            auc[fan] = np.nan
            continue
        kind = np.zeros(n, np.uint8)
        kind[seen[seen_start[fan] : seen_start[fan + 1]]] = SEEN
        kind[aims] = WANTED
        auc[fan], filled = _look_at_one(scores[row], kind, np.sort(scores[row][aims]), best)
        for place in range(filled):
            hits[fan, place] = kind[best[place]] == WANTED
