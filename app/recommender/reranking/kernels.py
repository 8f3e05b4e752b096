"""The compiled loops behind the features of the second stage."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int8Array, Int16Array, Int64Array
from app.recommender.kernels import jit_compiled

NOT_LISTED, PLANNED, SEEN, DROPPED = 0, 1, 2, 3


@jit_compiled
def _add_row(
    row: int,
    weight: float,
    matrix: Any,
    slot: Int16Array,
    sums: Float64Array,
    term: Float64Array,
    touched: Int16Array,
    count: int,
) -> int:
    """Add what one entry gives the candidates to ``sums`` (c,) and ``term`` (c,).

    Candidates whose term was 0 are appended to ``touched``, of which ``count`` are filled already;
    returns how many are now.
    """
    indptr, indices, data, factor = matrix
    if factor != 0.0:
        each = factor * weight
        for p in range(indptr[row], indptr[row + 1]):
            at = slot[np.uint64(indices[p])]
            if at >= 0:
                value = data[p] * each
                sums[at] += value
                if term[at] == 0.0:
                    touched[count] = at
                    count += 1
                term[at] += value
    return count


@jit_compiled
def _insert(best: Float64Array, value: float) -> bool:
    """Put a value among the three largest, (3,); tell whether it is the largest."""
    if value <= best[2]:
        return False
    if value > best[0]:
        best[2], best[1], best[0] = best[1], best[0], value
        return True
    if value > best[1]:
        best[2], best[1] = best[1], value
    else:
        best[2] = value
    return False


@jit_compiled
def contribution_features(
    rows: Int64Array,
    weights: Float64Array,
    group: Int64Array,
    residual: Float64Array,
    slot: Int16Array,
    candidates: Int64Array,
    full: Any,
    short: Any,
) -> Float64Array:
    """How the affinity of each candidate came about, (c, 9).

    ``rows`` (k,) with ``weights`` (k,) are the entries, ``slot`` (n,) is the place of an anime
    among the ``candidates`` (c,) or -1, ``group`` (n,) its franchise, ``residual`` (n,) what its
    score is above expectation (NaN for none). ``full`` and ``short`` are (indptr, indices, data,
    factor) of the two matrices. Columns: sum by the first matrix, by the second, largest term,
    three largest, sum above 0, sum below 0, sum from other franchises, whether the largest is of
    the same franchise, residual of the largest.
    """
    c, own_group = len(candidates), group[candidates]
    sums, top = np.zeros((2, c)), np.zeros((c, 3))
    positive, negative, of_others = np.zeros(c), np.zeros(c), np.zeros(c)
    largest = np.full(c, -1, np.int64)
    # Twice: a term may come back to 0 on the way, and the candidate then stands there again.
    term, touched = np.zeros(c), np.empty(2 * c, np.int16)
    for w in range(len(rows)):
        j = rows[w]
        count = _add_row(j, weights[w], full, slot, sums[0], term, touched, 0)
        count = _add_row(j, weights[w], short, slot, sums[1], term, touched, count)
        for t in range(count):
            at = touched[t]
            value = term[at]
            term[at] = 0.0
            if group[j] != own_group[at]:
                of_others[at] += value
            if value < 0.0:
                negative[at] += value
            else:
                positive[at] += value
                if _insert(top[at], value):
                    largest[at] = j
    out = np.empty((c, 9))
    for at in range(c):
        j = largest[at]
        out[at, 0], out[at, 1] = sums[0, at], sums[1, at]
        out[at, 2], out[at, 3] = top[at, 0], top[at, 0] + top[at, 1] + top[at, 2]
        out[at, 4], out[at, 5], out[at, 6] = positive[at], negative[at], of_others[at]
        out[at, 7] = j >= 0 and group[j] == own_group[at]
        out[at, 8] = residual[j] if j >= 0 else np.nan
    return out


@jit_compiled
def _note_seen(
    row: Float64Array,
    j: int,
    is_dropped: bool,
    reached: bool,
    is_regular: bool,
    residual: Float64Array,
    log_lists: Float64Array,
) -> None:
    """Take a seen part of the franchise into the columns of `franchise_features`."""
    row[0] += 1.0
    row[5] += is_dropped
    row[10] += is_regular
    if reached:
        row[9] += 1.0
    else:
        row[7] += 1.0
        if is_regular:
            row[13], row[16] = log_lists[j], residual[j]
    row[11], row[12] = np.fmax(row[11], log_lists[j]), np.fmin(row[12], log_lists[j])
    if not np.isnan(residual[j]):
        row[1] += 1.0
        row[2] = residual[j] if row[1] == 1.0 else row[2] + residual[j]
        row[3], row[4] = np.fmax(row[3], residual[j]), np.fmin(row[4], residual[j])


@jit_compiled
def franchise_features(
    candidates: Int64Array,
    group: Int64Array,
    first: Int64Array,
    members: Int64Array,
    prequel: Int64Array,
    is_extra: BoolArray,
    state: Int8Array,
    residual: Float64Array,
    log_lists: Float64Array,
    value: Float64Array,
) -> Float64Array:
    """What the user knows of each candidate's franchise, (c, 20).

    ``group`` (n,) is -1 for an anime that is alone; ``members[first[g]:first[g + 1]]`` is franchise
    g in the order of watching. ``state`` (n,) is one of `NOT_LISTED` and its like, ``residual``
    (n,) NaN for none, ``log_lists`` (n,) how many lists an anime is on, ``value`` (n,) its
    affinity. Columns: entries seen, scored, mean, best and worst residual, dropped, planned, seen
    before it, unseen before it, seen after it, share seen, log of lists over those of the most and
    least listed seen and of the last seen before it, its rank by affinity among the unseen, size,
    residual of the last seen before it, state and residual of what it continues, whether it
    continues something.
    """
    out = np.zeros((len(candidates), 20))
    for at in range(len(candidates)):
        i = candidates[at]
        row = out[at]
        for column in (2, 3, 4, 11, 12, 13, 16, 17, 18):
            row[column] = np.nan
        before = prequel[i]
        row[19] = before >= 0
        if before >= 0:
            row[17], row[18] = state[before], residual[before]
        if group[i] < 0:
            continue
        reached = False
        for p in range(first[group[i]], first[group[i] + 1]):
            j = members[p]
            row[15] += not is_extra[j]
            if j == i:
                reached = True
            elif state[j] >= 2:
                _note_seen(row, j, state[j] == 3, reached, not is_extra[j], residual, log_lists)
            else:
                row[6] += state[j] == 1
                row[8] += not reached and not is_extra[j]
                row[14] += value[j] > value[i]
        row[2] /= max(row[1], 1.0)
        row[10] /= max(row[15], 1.0)
        for column in (11, 12, 13):
            row[column] = log_lists[i] - row[column]
    return out


@jit_compiled
def word_features(
    candidates: Int64Array,
    entries: Int64Array,
    residual: Float64Array,
    indptr: Int64Array,
    indices: Any,
    kind: Int8Array,
    usual_share: Float64Array,
    n_kinds: int,
    shrinkage: float,
) -> Float64Array:
    """How the words of each candidate fit the list, (c, 2 ``n_kinds``); NaN where it has none.

    ``entries`` (k,) are on the list, ``residual`` (n,) is NaN for none, ``usual_share`` (w,) how
    much of all lists has a word. For each kind: the mean over the candidate's words of what the
    user scores them above expectation, pulled to 0 as by ``shrinkage`` further scores, and of the
    log of how often the user lists them over how often everybody does.
    """
    n_words = len(kind)
    listed = np.zeros(n_words)
    scored = np.zeros(n_words)
    total = np.zeros(n_words)
    for e in range(len(entries)):
        j = entries[e]
        given = residual[j]
        for p in range(indptr[j], indptr[j + 1]):
            w = np.int64(indices[p])
            listed[w] += 1.0
            if not np.isnan(given):
                scored[w] += 1.0
                total[w] += given
    liking = np.empty(n_words)
    fit = np.empty(n_words)
    for word in range(n_words):
        liking[word] = total[word] / (scored[word] + shrinkage)
        expected = usual_share[word] * len(entries)
        fit[word] = np.log((listed[word] + 1.0) / (expected + 1.0))
    out = np.full((len(candidates), 2 * n_kinds), np.nan)
    count = np.zeros(n_kinds)
    for at in range(len(candidates)):
        i = candidates[at]
        count[:] = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            w = np.int64(indices[p])
            k = int(kind[w])
            if count[k] == 0.0:
                out[at, 2 * k] = 0.0
                out[at, 2 * k + 1] = 0.0
            count[k] += 1.0
            out[at, 2 * k] += liking[w]
            out[at, 2 * k + 1] += fit[w]
        for k in range(n_kinds):
            if count[k] > 0.0:
                out[at, 2 * k] /= count[k]
                out[at, 2 * k + 1] /= count[k]
    return out
