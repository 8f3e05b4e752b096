"""The compiled inner loops of the similarity. Arrays in, arrays out; no policy.

All loops release the GIL, so `model_build.similarity` runs them from plain threads.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from model_build.intrinsics import add_pearson, fetch

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

AHEAD, FETCHED = 6, 64
"""How many lists ahead, and how many entries of each; measured."""


@numba.njit(nogil=True, cache=True, inline="always")
def _fetch_list(
    p: int,
    last: int,
    item_user: Ints,
    item_position: Ints,
    user_start: Longs,
    user_item: Ints,
    residual: Floats,
) -> None:
    """Bring the beginning of the list near that is walked `AHEAD` lists later.

    Lists lie all over memory, and their first elements would each be waited for.
    """
    if p + AHEAD < last:
        position = np.int64(item_position[p + AHEAD])
        fetch(residual, position)
        begin = user_start[item_user[p + AHEAD]]
        for k in range(begin, min(position, begin + FETCHED), 16):
            fetch(user_item, k)
            fetch(residual, k)
            fetch(residual, k + 8)


@numba.njit(nogil=True, cache=True, inline="always")
def shrunk(sums: Floats, j: int, shrinkage: float, min_support: int) -> float:
    """The similarity of one accumulated pair, 0 where negative."""
    support, product, left, right = sums[j, 0], sums[j, 1], sums[j, 2], sums[j, 3]
    if support < min_support or product <= 0.0:
        return 0.0
    return float(product / np.sqrt(left * right) * (support - 1.0) / (support - 1.0 + shrinkage))


@numba.njit(nogil=True, cache=True)
def meet(
    i: int,
    item_start: Longs,
    item_user: Ints,
    item_position: Ints,
    user_start: Longs,
    user_item: Ints,
    residual: Floats,
    sums: Floats,
) -> None:
    """Add up every meeting of anime i with a j < i on some fan's list."""
    last = item_start[i + 1]
    for p in range(item_start[i], last):
        _fetch_list(p, last, item_user, item_position, user_start, user_item, residual)
        position = item_position[p]
        left = residual[position]
        # Unsigned: no test for an index from the end in the innermost loop.
        for q in range(np.uint64(user_start[item_user[p]]), np.uint64(position)):
            add_pearson(sums, np.int64(user_item[q]), left, residual[q])


@numba.njit(nogil=True, cache=True)
def _meet_few(
    i: int,
    item_start: Longs,
    item_user: Ints,
    item_position: Ints,
    user_start: Longs,
    user_item: Ints,
    residual: Floats,
    sums: Floats,
    met: Ints,
) -> int:
    """`meet` that also writes down the j that it met; returns how many."""
    n_met = 0
    last = item_start[i + 1]
    for p in range(item_start[i], last):
        _fetch_list(p, last, item_user, item_position, user_start, user_item, residual)
        position = item_position[p]
        left = residual[position]
        for q in range(np.uint64(user_start[item_user[p]]), np.uint64(position)):
            j = user_item[q]
            if sums[j, 0] == 0.0:
                met[n_met] = j
                n_met += 1
            add_pearson(sums, np.int64(j), left, residual[q])
    return n_met


@numba.njit(nogil=True, cache=True)
def walk_lengths(
    item_start: Longs, item_user: Ints, item_position: Ints, user_start: Longs, length: Longs
) -> None:
    """How many entries stand before anime i on the lists of its raters, all together."""
    for i in range(len(length)):
        total = 0
        for p in range(item_start[i], item_start[i + 1]):
            total += item_position[p] - user_start[item_user[p]]
        length[i] = total


@numba.njit(nogil=True, cache=True)
def similarity_rows(
    first: int,
    last: int,
    block_first: int,
    item_start: Longs,
    item_user: Ints,
    item_position: Ints,
    user_start: Longs,
    user_item: Ints,
    residual: Floats,
    row_cost: Longs,
    shrinkage: float,
    min_support: int,
    sums: Floats,
    met: Ints,
    block_index: Ints,
    block_value: Singles,
    block_size: Ints,
) -> None:
    """Find the positive similarities of each i in [first, last) to every j < i.

    Row i of the block (at ``i - block_first``) receives the j and the values. ``item_position``
    says where a rating stands in its user's list, so the walk over that list stops exactly at the
    diagonal: each pair of anime is visited once. ``row_cost`` is the length of that walk. ``sums``
    (n_items, 4) is this thread's accumulator, all zero on entry and on return; ``met`` (n_items,)
    is its scratch space.
    """
    for i in range(first, last):
        ratings = (item_start, item_user, item_position, user_start, user_item, residual)
        index, value = block_index[i - block_first], block_value[i - block_first]
        # Where few are met, look at those alone instead of at every j.
        few = row_cost[i] <= i
        if few:
            n_met = _meet_few(i, *ratings, sums, met)
        else:
            meet(i, *ratings, sums)
            n_met = i
        found = 0
        for m in range(n_met):
            j = met[m] if few else m
            similarity = shrunk(sums, j, shrinkage, min_support)
            sums[j, 0] = sums[j, 1] = sums[j, 2] = sums[j, 3] = 0.0
            if similarity > 0.0:
                index[found], value[found] = j, similarity
                found += 1
        block_size[i - block_first] = found
