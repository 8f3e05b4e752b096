"""The compiled inner loops of serving. Arrays in, arrays out; no policy."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.runtime.nrt import rtsys

from app.recommender.array_types import Float64Array, FloatArray, Int64Array, IntArray

F = TypeVar("F", bound=Callable[..., Any])

_dispatchers: list[Any] = []


def jit_compiled(function: F) -> F:
    """Compile for numpy, and keep the machine code where numba finds a folder to write to.

    Where there is none, each process compiles for itself, which takes it some seconds at start.
    """
    try:
        made: Any = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba's word for: no such folder
        made = numba.njit(nogil=True)(function)
        _dispatchers.append(made)
        return cast("F", made)
    if made is function:  # NUMBA_DISABLE_JIT is set
        return function
    _change_cache(made._cache)
    _dispatchers.append(made)
    return cast("F", made)


def compiled_here() -> bool:
    """Whether this process compiled a kernel, which it did not find compiled.

    That leaves garbage that holds on to all that the callers of the kernel had at hand.
    """
    return any(made.stats.cache_misses for made in _dispatchers)


def _change_cache(cache: Any) -> None:
    """Have a full disk stop nothing, and load machine code without what only compiling needs.

    Before it looks for machine code, numba's own imports everything that it knows how to compile:
    a tenth of a second of a start, and ten megabytes. Compiling imports that by itself.
    """
    save, load = cache.save_overload, cache._load_overload

    def save_if_there_is_room(*compiled: Any) -> None:
        with suppress(OSError):
            save(*compiled)

    def load_machine_code(signature: Any, context: Any) -> Any:
        rtsys.initialize(context)
        return load(signature, context)

    cache.save_overload, cache.load_overload = save_if_there_is_room, load_machine_code


@jit_compiled
def gather_rows(
    rows: Int64Array, indptr: Int64Array, indices: Any, data: Any, scale: float, n: int
) -> tuple[Int64Array, Int64Array, Float64Array]:
    """Transpose some rows of a CSR matrix with n columns.

    Returns ``(indptr, entry_index, weight)``: the weights of column i stand at
    ``indptr[i]:indptr[i + 1]``; ``entry_index`` says from which of ``rows`` each came, ascending
    within a column.
    """
    out_indptr = np.zeros(n + 1, np.int64)
    for s in rows:
        for p in range(indptr[s], indptr[s + 1]):
            out_indptr[np.int64(indices[p]) + 1] += 1
    for i in range(n):
        out_indptr[i + 1] += out_indptr[i]
    entry_index = np.empty(out_indptr[n], np.int64)
    weight = np.empty(out_indptr[n], np.float64)
    free = out_indptr[:-1].copy()
    for w in range(len(rows)):
        s = rows[w]
        for p in range(indptr[s], indptr[s + 1]):
            slot = free[np.int64(indices[p])]
            free[np.int64(indices[p])] += 1
            entry_index[slot] = w
            weight[slot] = data[p] * scale
    return out_indptr, entry_index, weight


@jit_compiled
def quickselect_largest(index: IntArray, value: FloatArray, k: int) -> None:
    """Reorder both in place so that the k largest come first; of equal ones the smaller index.

    Hoare's quickselect (1961); ``index`` and ``value`` are (m,) both.
    """
    low, high = 0, len(value) - 1
    while low < high:
        middle = (low + high) >> 1
        pivot, pivot_index = value[middle], index[middle]
        i, j = low, high
        while i <= j:
            while value[i] > pivot or (value[i] == pivot and index[i] < pivot_index):
                i += 1
            while value[j] < pivot or (value[j] == pivot and index[j] > pivot_index):
                j -= 1
            if i <= j:
                value[i], value[j] = value[j], value[i]
                index[i], index[j] = index[j], index[i]
                i, j = i + 1, j - 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break


@jit_compiled
def topk_mean(
    indptr: Int64Array,
    entry_index: Int64Array,
    similarity: Float64Array,
    residual: Float64Array,
    k: int,
) -> tuple[Float64Array, Float64Array, Int64Array]:
    """Weighted mean residual over the k most similar entries of every item.

    Returns ``(mean, total weight, entries used)``, each (n,); the mean is 0 where there are none.
    Each item's entries are left with the used ones first.
    """
    n = len(indptr) - 1
    mean = np.zeros(n)
    total = np.zeros(n)
    used = np.zeros(n, np.int64)
    for i in range(n):
        first, last = indptr[i], indptr[i + 1]
        if last - first > k:
            quickselect_largest(entry_index[first:last], similarity[first:last], k)
            last = first + k
        numerator, denominator = 0.0, 0.0
        for p in range(first, last):
            numerator += similarity[p] * residual[entry_index[p]]
            denominator += similarity[p]
        if denominator > 0.0:
            mean[i] = numerator / denominator
        total[i] = denominator
        used[i] = last - first
    return mean, total, used


@jit_compiled
def weighted_row_sum(
    rows: Int64Array,
    weights: Float64Array,
    indptr: Int64Array,
    indices: Any,
    data: Any,
    scale: float,
    n: int,
) -> Float64Array:
    """Weighted sum of some rows of a CSR matrix, (n,)."""
    total = np.zeros(n)
    for w in range(len(rows)):
        s, factor = rows[w], weights[w] * scale
        for p in range(indptr[s], indptr[s + 1]):
            total[np.uint64(indices[p])] += factor * data[p]
    return total


@jit_compiled
def weight_and_deviation_sums(
    rows: Int64Array, deviation: Float64Array, indptr: Int64Array, indices: Any, data: Any, n: int
) -> tuple[Float64Array, Float64Array]:
    """Return sums of weight x deviation and of weight over some rows of a CSR matrix, (n,) each."""
    sums = np.zeros((n, 2))  # side by side: one cache line a target
    for w in range(len(rows)):
        s, d = rows[w], deviation[w]
        for p in range(indptr[s], indptr[s + 1]):
            i = np.uint64(indices[p])
            sums[i, 0] += data[p] * d
            sums[i, 1] += data[p]
    return sums[:, 0].copy(), sums[:, 1].copy()


@jit_compiled
def dense_submatrix(
    rows: Int64Array,
    columns: Int64Array,
    indptr: Int64Array,
    indices: Any,
    data: Any,
    scale: float,
    n: int,
) -> Float64Array:
    """Return entries of a CSR matrix with n columns at some rows and columns, (columns, rows).

    No column may be asked for twice.
    """
    found = np.zeros((len(columns), len(rows)))
    place = np.full(n, -1, np.int32)
    for k in range(len(columns)):
        place[columns[k]] = k
    for w in range(len(rows)):
        for p in range(indptr[rows[w]], indptr[rows[w] + 1]):
            k = place[np.uint64(indices[p])]
            if k >= 0:
                found[k, w] = data[p] * scale
    return found


@jit_compiled
def row_products(table: Any, rows: Any, vector: Float64Array) -> Float64Array:
    """Product of some rows of a ``table`` (m, f) with ``vector`` (f,), (r,); 0 for a row below 0.

    Each is summed up by itself, so that it does not depend on which others are wanted; in four
    sums, which can be added to at a time.
    """
    products = np.zeros(len(rows))
    whole = len(vector) - len(vector) % 4
    for r in range(len(rows)):
        if rows[r] < 0:
            continue
        row = table[rows[r]]
        a = b = c = d = 0.0
        for k in range(0, whole, 4):
            a += row[k] * vector[k]
            b += row[k + 1] * vector[k + 1]
            c += row[k + 2] * vector[k + 2]
            d += row[k + 3] * vector[k + 3]
        for k in range(whole, len(vector)):
            a += row[k] * vector[k]
        products[r] = (a + b) + (c + d)
    return products


@jit_compiled
def solve_lower(lower: Float64Array, rhs: Float64Array) -> Float64Array:
    """X (f, k) with ``lower`` X = ``rhs``, for a lower triangular (f, f) and (f, k)."""
    x = rhs.copy()
    for i in range(len(lower)):
        for j in range(i):
            factor = lower[i, j]
            for k in range(x.shape[1]):
                x[i, k] -= factor * x[j, k]
        for k in range(x.shape[1]):
            x[i, k] /= lower[i, i]
    return x


@jit_compiled
def solve_factorised(lower: Float64Array, upper: Float64Array, rhs: Float64Array) -> Float64Array:
    """X (f,) with A x = ``rhs`` (f,), for A = ``lower`` ``upper``, its Cholesky factors (f, f).

    Both are read along their rows, which is what can be done several columns at a time.
    """
    x = rhs.copy()
    for i in range(len(x)):
        x[i] /= upper[i, i]
        for j in range(i + 1, len(x)):
            x[j] -= upper[i, j] * x[i]
    for i in range(len(x) - 1, -1, -1):
        x[i] /= lower[i, i]
        for j in range(i):
            x[j] -= lower[i, j] * x[i]
    return x


@jit_compiled
def _is_among(values: Int64Array, wanted: int) -> bool:
    # What numpy would do for this is machine code that takes long to load.
    for value in values:  # noqa: SIM110 -- numba compiles no generator
        if value == wanted:
            return True
    return False


@jit_compiled
def _unseen_prequel(
    at: int,
    lists: int,
    order: Int64Array,
    waits_for: Int64Array,
    entry_count: Any,
    unseen: Any,
    min_prequel_share: float,
) -> int:
    """Return the unseen one that this waits for, in this ``order``, on that share of ``lists``."""
    before = waits_for[at]
    if before < 0 or not unseen[before] or entry_count[before] < min_prequel_share * lists:
        return -1
    return int(before) if _is_among(order, before) else -1


@jit_compiled
def franchise_beginning(
    order: Int64Array,
    start: int,
    waits_for: Int64Array,
    entry_count: Any,
    fit: Any,
    unseen: Any,
    min_share: float,
    min_prequel_share: float,
) -> int:
    """Return where to begin a franchise, watched in this ``order`` (m,); -1 for nowhere.

    That is the first ``fit`` (n,) one from the place ``start`` on that is on at least ``min_share``
    as many lists as the most listed such; or what that ``waits_for`` (n,), if it is of the same
    franchise, ``unseen`` (n,), and on at least ``min_prequel_share`` as many.
    """
    most = 0
    for at in order[start:]:
        if fit[at]:
            most = max(most, entry_count[at])
    for at in order[start:]:
        if fit[at] and entry_count[at] >= min_share * most:
            lists = entry_count[at]
            for _ in order:  # prequels of a damaged catalogue may be a circle
                before = _unseen_prequel(
                    at, lists, order, waits_for, entry_count, unseen, min_prequel_share
                )
                if before < 0:
                    break
                at = before
            return int(at)
    return -1


@jit_compiled
def franchise_continuation(
    order: Int64Array,
    prequel: Int64Array,
    waits_for: Int64Array,
    entry_count: Any,
    seen: Any,
    unseen: Any,
    between: Any,
    min_share: float,
    min_prequel_share: float,
    between_share: float,
) -> int:
    """Return what goes on after something ``seen`` (n,), in this ``order``; -1 for nothing.

    That is the first unseen one whose ``prequel`` was seen, of those on ``min_share`` as many lists
    as the most listed such; or what is ``between`` (n,) both, on ``between_share`` as many lists as
    the sequel or, as that may be new, its prequel. Nothing comes between that ``waits_for``
    something unseen itself, on ``min_prequel_share`` as many lists.
    """
    goes_on = np.zeros(len(order), np.bool_)
    most = 0
    for place in range(len(order)):
        at = order[place]
        goes_on[place] = unseen[at] and prequel[at] >= 0 and seen[prequel[at]]
        if goes_on[place]:
            most = max(most, entry_count[at])
    for place in range(len(order)):
        sequel = order[place]
        if goes_on[place] and entry_count[sequel] >= min_share * most:
            start = place
            while start >= 0 and order[start] != prequel[sequel]:
                start -= 1
            if start >= 0:
                lists = max(entry_count[sequel], entry_count[prequel[sequel]], 1)
                for at in order[start + 1 : place]:
                    if between[at] and entry_count[at] >= between_share * lists:
                        before = _unseen_prequel(
                            *(at, entry_count[at], order, waits_for, entry_count, unseen),
                            min_prequel_share,
                        )
                        if before < 0:
                            return int(at)
            return int(sequel)
    return -1


@jit_compiled
def franchise_next(
    order: Int64Array,
    is_extra: Any,
    prequel: Int64Array,
    waits_for: Int64Array,
    entry_count: Any,
    seen: Any,
    unseen: Any,
    between: Any,
    min_share: float,
    min_prequel_share: float,
    between_share: float,
) -> int:
    """Return what comes next in a franchise, in this ``order``, after what was ``seen`` (n,).

    That is its `franchise_continuation`. Where nothing continues anything seen, it is where what
    is left begins. If that stands after something seen, it may be what is left after the last seen
    and ``between`` (n,), no other version: if that is on ``min_share`` as many lists; or if what
    was passed over is on fewer than ``between_share`` times as many as the last seen.
    """
    chosen = franchise_continuation(
        *(order, prequel, waits_for, entry_count, seen, unseen, between),
        *(min_share, min_prequel_share, between_share),
    )
    if chosen >= 0:
        return chosen
    shares = (min_share, min_prequel_share)
    skipped = franchise_beginning(order, 0, waits_for, entry_count, unseen, unseen, *shares)
    last, passed_over = -1, False
    for place in range(len(order)):
        at = order[place]
        passed_over |= at == skipped and last >= 0
        if seen[at] and not is_extra[at]:
            last = place
    if not passed_over:
        return skipped
    later = franchise_beginning(order, last + 1, waits_for, entry_count, between, unseen, *shares)
    if later >= 0 and (
        entry_count[later] >= min_share * entry_count[skipped]
        or entry_count[skipped] < between_share * entry_count[order[last]]
    ):
        return later
    return skipped


@jit_compiled
def franchise_entry_points(
    watch_order: Int64Array,
    franchise_first: Int64Array,
    franchise_id: Int64Array,
    is_extra: Any,
    prequel: Int64Array,
    waits_for: Int64Array,
    entry_count: Any,
    seen: Any,
    unseen: Any,
    between: Any,
    allowed: Any,
    min_share: float,
    min_prequel_share: float,
    between_share: float,
) -> tuple[Any, Int64Array]:
    """Of every franchise leave one of the ``allowed`` (n,) anime, or none.

    Franchise g is ``watch_order[franchise_first[g]:franchise_first[g + 1]]``. The one is its
    `franchise_next`, where something was seen, else its `franchise_beginning`; but none if that
    ``waits_for`` what is neither ``seen`` nor ``unseen``, as it may not be shown, and is on
    ``min_prequel_share`` as many lists. Returns what is left of ``allowed``, and how many others
    each stands for.
    """
    remaining = allowed.copy()
    hidden_count = np.zeros(len(allowed), np.int64)
    for g in range(len(franchise_first) - 1):
        first, last = franchise_first[g], franchise_first[g + 1]
        shown, is_known = 0, False
        for place in range(first, last):
            at = watch_order[place]
            is_known |= seen[at]
            if unseen[at]:
                remaining[at] = False
                shown += allowed[at]
        if not shown:
            continue
        order = watch_order[first:last]
        if is_known:
            chosen = franchise_next(
                *(order, is_extra, prequel, waits_for, entry_count, seen, unseen, between),
                *(min_share, min_prequel_share, between_share),
            )
        else:
            chosen = franchise_beginning(
                *(order, 0, waits_for, entry_count, unseen, unseen, min_share, min_prequel_share)
            )
        if chosen >= 0:
            before = waits_for[chosen]
            withheld = (
                before >= 0
                and franchise_id[before] == g
                and not (seen[before] or unseen[before])
                and entry_count[before] >= min_prequel_share * entry_count[chosen]
            )
            if withheld:
                continue
            remaining[chosen] = allowed[chosen]
            hidden_count[chosen] = max(shown - 1, 0)
    return remaining, hidden_count
