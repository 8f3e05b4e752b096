"""The compiled loops that group entries. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@numba.njit(nogil=True, cache=True)
def count(user: Ints, item: Ints, chosen: Flags, of_user: Longs, of_item: Longs) -> None:
    """Add up how many chosen entries each user and each item has."""
    for entry in range(len(user)):
        if chosen[entry]:
            of_user[user[entry]] += 1
            of_item[item[entry]] += 1


@numba.njit(nogil=True, cache=True)
def into_items(
    user: Ints,
    item: Ints,
    chosen: Flags,
    rank: Longs,
    free: Longs,
    item_user: Ints,
    item_entry: Ints,
) -> None:
    """Put entries, users ascending, behind one another by item; ``free`` is where each starts."""
    for entry in range(len(user)):
        if chosen[entry]:
            number = rank[item[entry]]
            place = free[number]
            free[number] = place + 1
            item_user[place] = user[entry]
            item_entry[place] = entry


@numba.njit(nogil=True, cache=True)
def into_users(
    item_start: Longs, item_user: Ints, item_entry: Ints, free: Longs, user_item: Ints, entry: Ints
) -> None:
    """From items, in their order, back to users.

    ``item_entry`` names entries at first, and then where they stand by user.
    """
    for number in range(len(item_start) - 1):
        for p in range(item_start[number], item_start[number + 1]):
            place = free[item_user[p]]
            free[item_user[p]] = place + 1
            user_item[place] = number
            entry[place] = item_entry[p]
            item_entry[p] = place
