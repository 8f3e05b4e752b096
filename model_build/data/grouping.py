"""The ratings grouped by user and by anime at once, the form in which training walks over them."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from model_build.data.ratings import Ratings
from model_build.util.errors import InputError

MAX_ENTRIES = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class GroupedEntries:
    """Entries grouped both ways, anime numbered by their rank.

    By user: ``user_start`` (n_users + 1,) delimits ``user_item``, numbers ascending within a user,
    and ``user_entry``, which entry it was. By item: ``item_start`` (n_items + 1,) delimits
    ``item_user``, ascending, and ``item_position``, where the same entry stands by user.
    """

    user_start: Int64Array
    user_item: Int32Array
    user_entry: Int32Array
    item_start: Int64Array
    item_user: Int32Array
    item_position: Int32Array


@dataclass(frozen=True, slots=True)
class GroupedRatings:
    """Scored entries grouped both ways, anime renumbered by falling number of ratings.

    With the most rated anime first, whatever is accumulated over a fan's list lands mostly in the
    same few cache lines. ``order[k]`` is the original index of the anime with number k, and
    ``rank`` its inverse. ``user_rating`` is parallel to ``user_item``, the rest as in `Grouping`.
    """

    order: Int64Array
    rank: Int64Array
    user_start: Int64Array
    user_item: Int32Array
    user_rating: Float64Array
    item_start: Int64Array
    item_user: Int32Array
    item_position: Int32Array

    @property
    def n_users(self) -> int:
        return len(self.user_start) - 1

    @property
    def n_items(self) -> int:
        return len(self.item_start) - 1


def group_ratings(
    user: Int32Array,
    item: Int32Array,
    rating: Float64Array,
    n_users: int,
    n_items: int,
    selected: BoolArray | None = None,
) -> GroupedRatings:
    """Group parallel arrays of entries, each (user, item) at most once; all, or those ``chosen``.

    Raises:
        InputError: there are more entries than 32 bits can number.
    """
    selected = np.ones(len(user), bool) if selected is None else selected
    order = argsort_descending(count_entries_per_item(item, n_items, selected))
    rank = np.empty(n_items, np.int64)
    rank[order] = np.arange(n_items)
    grouped = group_entries(user, item, rank, n_users, n_items, selected)
    return GroupedRatings(
        order,
        rank,
        grouped.user_start,
        grouped.user_item,
        rating[grouped.user_entry],
        grouped.item_start,
        grouped.item_user,
        grouped.item_position,
    )


def group_scores(ratings: Ratings, selected: BoolArray | None = None) -> GroupedRatings:
    """The scored entries, or those ``selected`` (entries,), grouped both ways."""
    return group_ratings(
        ratings.user,
        ratings.item,
        ratings.rating,
        len(ratings.user_ids),
        len(ratings.anime_ids),
        ratings.rated_mask if selected is None else selected,
    )


def group_entries(
    user: Int32Array,
    item: Int32Array,
    rank: Int64Array,
    n_users: int,
    n_numbers: int,
    selected: BoolArray,
) -> GroupedEntries:
    """Group the chosen entries, ``rank`` being the number of each item below ``n_numbers``.

    Time is linear in the entries; memory is that of the result.

    Raises:
        InputError: there are more entries than 32 bits can number.
    """
    if len(user) > MAX_ENTRIES:
        raise InputError(f"{len(user):,} entries; one machine takes at most {MAX_ENTRIES:,}.")
    if (user[1:] < user[:-1]).any():
        by_user = np.argsort(user, kind="stable").astype(np.int32)
        sorted_ = group_entries(
            user[by_user], item[by_user], rank, n_users, n_numbers, selected[by_user]
        )
        return GroupedEntries(
            sorted_.user_start,
            sorted_.user_item,
            by_user[sorted_.user_entry],
            sorted_.item_start,
            sorted_.item_user,
            sorted_.item_position,
        )
    of_user, of_item = np.zeros(n_users, np.int64), np.zeros(len(rank), np.int64)
    count_entries(user, item, selected, of_user, of_item)
    of_number = np.zeros(n_numbers, np.int64)
    has = of_item > 0
    of_number[rank[has]] = of_item[has]
    item_start = np.concatenate([[0], np.cumsum(of_number)])
    user_start = np.concatenate([[0], np.cumsum(of_user)])
    entries = int(user_start[-1])
    item_user, item_position = np.empty(entries, np.int32), np.empty(entries, np.int32)
    group_by_item(user, item, selected, rank, item_start[:-1].copy(), item_user, item_position)
    user_item, user_entry = np.empty(entries, np.int32), np.empty(entries, np.int32)
    group_by_user(
        item_start, item_user, item_position, user_start[:-1].copy(), user_item, user_entry
    )
    return GroupedEntries(user_start, user_item, user_entry, item_start, item_user, item_position)


def count_entries_per_item(
    item: Int32Array, n_items: int, selected: BoolArray | None = None
) -> Int64Array:
    """How many entries, or of the chosen ones, each item has, (n_items,)."""
    count = np.zeros(n_items, np.int64)
    for first in range(0, len(item), CHUNK_ENTRIES):
        piece = slice(first, first + CHUNK_ENTRIES)
        own = item[piece] if selected is None else item[piece][selected[piece]]
        count += np.bincount(own, minlength=n_items)
    return count


CHUNK_ENTRIES = 1 << 22
"""Entries looked at at once, where numpy makes wide copies of what it is given."""


def argsort_descending(count: Int64Array) -> Int64Array:
    """Indices by falling count, of equal ones the first first."""
    return np.argsort(-count, kind="stable")


def rows_by_user(user: Int32Array, n_users: int) -> list[Int64Array]:
    """The rows of every user, ascending: arrays of indices into ``user``, one a user."""
    edges = np.cumsum(np.bincount(user, minlength=n_users))
    return np.split(np.argsort(user, kind="stable"), edges[:-1])


def find_positions(ids: Int32Array, wanted: Int32Array | Int64Array) -> Int64Array:
    """Where each of ``wanted`` stands in ascending ``ids``, -1 where it does not; (wanted,).

    >>> find_positions(np.array([3, 5, 9], np.int32), np.array([9, 4, 3])).tolist()
    [2, -1, 0]
    """
    if not len(ids):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[at] == wanted, at, -1).astype(np.int64)


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
