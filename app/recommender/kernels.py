"""The compiled inner loops of serving. Arrays in, arrays out; no policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile for numpy, and keep the machine code where numba finds a folder to write to.

    Where there is none, each process compiles for itself, which takes it some seconds at start.
    """
    try:
        made = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba's word for: no such folder
        made = numba.njit(nogil=True)(function)
    return cast("F", made)


@compiled
def gather(
    source: Longs, start: Longs, target: Any, value: Any, scale: float, n: int
) -> tuple[Longs, Longs, Floats]:
    """Regroup the matrix rows of ``source`` by target.

    Returns ``(begin, which, weight)``: the entries of target i stand at ``begin[i]:begin[i + 1]``;
    ``which`` is the position in ``source`` an entry came from, ascending within a target.
    """
    begin = np.zeros(n + 1, np.int64)
    for s in source:
        for p in range(start[s], start[s + 1]):
            begin[np.int64(target[p]) + 1] += 1
    for i in range(n):
        begin[i + 1] += begin[i]
    which = np.empty(begin[n], np.int64)
    weight = np.empty(begin[n], np.float64)
    free = begin[:-1].copy()
    for w in range(len(source)):
        s = source[w]
        for p in range(start[s], start[s + 1]):
            slot = free[np.int64(target[p])]
            free[np.int64(target[p])] += 1
            which[slot] = w
            weight[slot] = value[p] * scale
    return begin, which, weight


@compiled
def select_nearest(which: Longs, weight: Floats, k: int) -> None:
    """Reorder in place so that the k largest weights come first; of equal ones the earlier entry.

    Hoare's quickselect on one target's entries.
    """
    low, high = 0, len(weight) - 1
    while low < high:
        middle = (low + high) >> 1
        pivot, pivot_which = weight[middle], which[middle]
        i, j = low, high
        while i <= j:
            while weight[i] > pivot or (weight[i] == pivot and which[i] < pivot_which):
                i += 1
            while weight[j] < pivot or (weight[j] == pivot and which[j] > pivot_which):
                j -= 1
            if i <= j:
                weight[i], weight[j] = weight[j], weight[i]
                which[i], which[j] = which[j], which[i]
                i, j = i + 1, j - 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break


@compiled
def nearest_means(
    begin: Longs, which: Longs, weight: Floats, residual: Floats, k: int
) -> tuple[Floats, Floats, Longs]:
    """Weighted mean residual over the k nearest entries of every target.

    Returns ``(mean, total weight, entries used)``, each (n,); the mean is 0 where nothing is near.
    Each target's entries are left with the used ones first.
    """
    n = len(begin) - 1
    mean = np.zeros(n)
    total = np.zeros(n)
    used = np.zeros(n, np.int64)
    for i in range(n):
        first, last = begin[i], begin[i + 1]
        if last - first > k:
            select_nearest(which[first:last], weight[first:last], k)
            last = first + k
        numerator, denominator = 0.0, 0.0
        for p in range(first, last):
            numerator += weight[p] * residual[which[p]]
            denominator += weight[p]
        if denominator > 0.0:
            mean[i] = numerator / denominator
        total[i] = denominator
        used[i] = last - first
    return mean, total, used


@compiled
def spread(
    source: Longs, interest: Floats, start: Longs, target: Any, value: Any, scale: float, n: int
) -> Floats:
    """Sum of interest times matrix row over ``source``, (n,)."""
    total = np.zeros(n)
    for w in range(len(source)):
        s, factor = source[w], interest[w] * scale
        for p in range(start[s], start[s + 1]):
            total[np.uint64(target[p])] += factor * value[p]
    return total


@compiled
def sharpened_sums(
    source: Longs, deviation: Floats, start: Longs, target: Any, value: Any, scale: float, n: int
) -> tuple[Floats, Floats]:
    """Sums of weight x deviation and of weight over ``source``, (n,) each; a weight is a cube."""
    sums = np.zeros((n, 2))  # side by side: one cache line a target
    for w in range(len(source)):
        s, d = source[w], deviation[w]
        for p in range(start[s], start[s + 1]):
            i = np.uint64(target[p])
            similarity = value[p] * scale
            weight = similarity * similarity * similarity
            sums[i, 0] += weight * d
            sums[i, 1] += weight
    return sums[:, 0].copy(), sums[:, 1].copy()


@compiled
def entries_between(
    source: Longs, wanted: Longs, start: Longs, target: Any, value: Any, scale: float
) -> Floats:
    """The matrix entries from every source to every wanted target, (wanted, source), dense.

    Targets ascend within a row, so each is found by bisection.
    """
    found = np.zeros((len(wanted), len(source)))
    for w in range(len(source)):
        first, last = start[source[w]], start[source[w] + 1]
        for k in range(len(wanted)):
            low, high = first, last
            while low < high:
                middle = (low + high) >> 1
                if np.int64(target[middle]) < wanted[k]:
                    low = middle + 1
                else:
                    high = middle
            if low < last and np.int64(target[low]) == wanted[k]:
                found[k, w] = value[low] * scale
    return found


@compiled
def solve_lower(root: Floats, right: Floats) -> Floats:
    """X with root X = right, for a lower triangular root (f, f) and right (f, k)."""
    x = right.copy()
    for i in range(len(root)):
        for j in range(i):
            factor = root[i, j]
            for k in range(x.shape[1]):
                x[i, k] -= factor * x[j, k]
        for k in range(x.shape[1]):
            x[i, k] /= root[i, i]
    return x


@compiled
def solve_lower_transposed(root: Floats, right: Floats) -> Floats:
    """X with root' X = right, for a lower triangular root (f, f) and right (f, k)."""
    x = right.copy()
    for i in range(len(root) - 1, -1, -1):
        for k in range(x.shape[1]):
            x[i, k] /= root[i, i]
        for j in range(i):
            factor = root[i, j]
            for k in range(x.shape[1]):
                x[j, k] -= factor * x[i, k]
    return x


@compiled
def ways_in(
    order: Longs, group: Longs, lists: Any, unseen: Any, allowed: Any, share: float
) -> tuple[Any, Longs]:
    """Of every group leave one of the ``allowed`` anime, or none; ``order`` has group by group.

    The way in is the first ``unseen`` one that is on at least ``share`` as many ``lists`` as the
    most listed unseen one. Returns what is left of ``allowed``, and how many others each stands
    for.
    """
    left = allowed.copy()
    more = np.zeros(len(allowed), np.int64)
    last = 0
    while last < len(order):
        first = last
        most, shown = 0, 0
        while last < len(order) and group[order[last]] == group[order[first]]:
            at = order[last]
            if unseen[at]:
                most = max(most, lists[at])
                left[at] = False
                shown += allowed[at]
            last += 1
        for place in range(first, last):
            at = order[place]
            if unseen[at] and lists[at] >= share * most:
                left[at] = allowed[at]
                more[at] = max(shown - 1, 0)
                break
    return left, more
