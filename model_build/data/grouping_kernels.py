"""The compiled loops that group entries. Arrays in, arrays out; no policy."""

from __future__ import annotations

import numba

from app.recommender.array_types import BoolArray, Int32Array, Int64Array


@numba.njit(nogil=True, cache=True)
def count_entries(
    user: Int32Array,
    item: Int32Array,
    selected: BoolArray,
    of_user: Int64Array,
    of_item: Int64Array,
) -> None:
    """Add up how many chosen entries each user and each item has."""
    for entry in range(len(user)):
        if selected[entry]:
            of_user[user[entry]] += 1
            of_item[item[entry]] += 1


@numba.njit(nogil=True, cache=True)
def group_by_item(
    user: Int32Array,
    item: Int32Array,
    selected: BoolArray,
    rank: Int64Array,
    next_slot: Int64Array,
    item_user: Int32Array,
    item_entry: Int32Array,
) -> None:
    """Put entries, users ascending, behind one another by item; ``free`` is where each starts."""
    for entry in range(len(user)):
        if selected[entry]:
            number = rank[item[entry]]
            place = next_slot[number]
            next_slot[number] = place + 1
            item_user[place] = user[entry]
            item_entry[place] = entry


@numba.njit(nogil=True, cache=True)
def group_by_user(
    item_start: Int64Array,
    item_user: Int32Array,
    item_entry: Int32Array,
    next_slot: Int64Array,
    user_item: Int32Array,
    entry: Int32Array,
) -> None:
    """From items, in their order, back to users.

    ``item_entry`` names entries at first, and then where they stand by user.
    """
    for number in range(len(item_start) - 1):
        for p in range(item_start[number], item_start[number + 1]):
            place = next_slot[item_user[p]]
            next_slot[item_user[p]] = place + 1
            user_item[place] = number
            entry[place] = item_entry[p]
            item_entry[p] = place
