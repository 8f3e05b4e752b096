"""The compiled loop over the fans of a block of scores. No policy."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

SEEN, WANTED = 1, 2


@numba.njit(nogil=True, cache=True)
def look(
    scores: npt.NDArray[np.float32],
    first: int,
    seen_start: npt.NDArray[np.int32],
    seen: npt.NDArray[np.int32],
    wanted_start: npt.NDArray[np.int32],
    wanted: npt.NDArray[np.int32],
    auc: npt.NDArray[np.float64],
    hits: npt.NDArray[np.bool_],
) -> None:
    """Fill ``auc`` and ``hits`` (fans, places) for the fans from ``first`` on, a row of ``scores``
    (rows, n) each.

    What is seen takes no part. Of equal scores the one further left ranks first; for the AUC such
    pairs count half. A fan of whom nothing is wanted gets NaN.
    """
    rows, n = scores.shape
    places = hits.shape[1]
    kind = np.zeros(n, np.uint8)
    best = np.empty(places, np.int64)
    for row in range(rows):
        fan = first + row
        own = seen[seen_start[fan] : seen_start[fan + 1]]
        aims = wanted[wanted_start[fan] : wanted_start[fan + 1]]
        if len(aims) == 0:
            auc[fan] = np.nan
            continue
        for at in own:
            kind[at] = SEEN
        for at in aims:
            kind[at] = WANTED
        aim = np.sort(scores[row][aims])
        below, rivals, filled = 0.0, 0, 0
        for at in range(n):
            if kind[at] == SEEN:
                continue
            score = scores[row, at]
            if kind[at] != WANTED:
                rivals += 1
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
                below += (len(aim) - ties) + 0.5 * (ties - low)
            if filled < places or score > scores[row, best[filled - 1]]:
                if filled < places:
                    filled += 1
                place = filled - 1
                while place > 0 and score > scores[row, best[place - 1]]:
                    best[place] = best[place - 1]
                    place -= 1
                best[place] = at
        auc[fan] = below / (len(aim) * rivals) if rivals else np.nan
        for place in range(filled):
            hits[fan, place] = kind[best[place]] == WANTED
        for at in own:
            kind[at] = 0
        for at in aims:
            kind[at] = 0
