"""The compiled loop over the users of a block of scores.

scikit-learn's AUC takes 15 times as long for one user, and holds the lock of the interpreter.
"""

from __future__ import annotations

import numba
import numpy as np

from app.recommender.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
    UInt8Array,
)

CANDIDATE, VISIBLE, HIDDEN = 0, 1, 2


@numba.njit(nogil=True, cache=True, inline="always")
def _count_higher(hidden_scores: Float32Array, score: float) -> float:
    """Count the hidden scores (ascending) above a score; those that equal it count half."""
    low, high = 0, len(hidden_scores)
    while low < high:
        middle = (low + high) >> 1
        if hidden_scores[middle] < score:
            low = middle + 1
        else:
            high = middle
    ties = low
    while ties < len(hidden_scores) and hidden_scores[ties] == score:
        ties += 1
    return (len(hidden_scores) - ties) + 0.5 * (ties - low)


@numba.njit(nogil=True, cache=True, inline="always")
def _insert_top(best: Int64Array, filled: int, row: Float32Array, at: int) -> int:
    """Put ``at`` among the best if it belongs there; return how many there are then."""
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
def _rank_user(
    row: Float32Array, kind: UInt8Array, hidden_scores: Float32Array, best: Int64Array
) -> tuple[float, int]:
    """Return the AUC, and how many of the places of ``best`` are filled."""
    beaten, rivals, filled = 0.0, 0, 0
    for at in range(len(row)):
        if kind[at] == VISIBLE:
            continue
        if kind[at] == CANDIDATE:
            rivals += 1
            beaten += _count_higher(hidden_scores, row[at])
        filled = _insert_top(best, filled, row, at)
    return (beaten / (len(hidden_scores) * rivals) if rivals else np.nan), filled


@numba.njit(nogil=True, cache=True)
def rank_block(
    scores: Float32Array,
    first: int,
    visible_indptr: Int32Array,
    visible_indices: Int32Array,
    hidden_indptr: Int32Array,
    hidden_indices: Int32Array,
    auc: Float64Array,
    hits: BoolArray,
) -> None:
    """Fill ``auc`` (users,) and ``hits`` (users, places) for the users of ``scores`` (rows, n).

    The first row is that of user ``first``. Visible anime take no part. Of equal scores the one
    further left ranks first; for the AUC such pairs count half. A user of whom nothing is hidden
    gets NaN.
    """
    rows, n = scores.shape
    places = hits.shape[1]
    best = np.empty(places, np.int64)
    for row in range(rows):
        user = first + row
        hidden = hidden_indices[hidden_indptr[user] : hidden_indptr[user + 1]]
        if len(hidden) == 0:
            auc[user] = np.nan
            continue
        kind = np.zeros(n, np.uint8)
        kind[visible_indices[visible_indptr[user] : visible_indptr[user + 1]]] = VISIBLE
        kind[hidden] = HIDDEN
        auc[user], filled = _rank_user(scores[row], kind, np.sort(scores[row][hidden]), best)
        for place in range(filled):
            hits[user, place] = kind[best[place]] == HIDDEN
