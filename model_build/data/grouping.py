"""Entries grouped by user and by item at once, the form in which training walks over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from model_build.data.ratings import Ratings
from model_build.util.errors import InputError

MAX_ENTRIES = np.iinfo(np.int32).max
CHUNK_ENTRIES = 1 << 22
"""Entries looked at at once, where numpy makes wide copies of what it is given."""


class UserItemIndex(NamedTuple):
    """The arrays of `UserItemGroups`."""

    user_indptr: Int64Array
    user_item: Int32Array
    item_indptr: Int64Array
    item_user: Int32Array
    item_position: Int32Array


@dataclass(frozen=True, slots=True)
class UserItemGroups:
    """Entries grouped both ways; items are numbers, users stay as they are.

    By user: ``user_indptr`` (n_users + 1,) delimits ``user_item`` (n,), ascending within a user.
    By item: ``item_indptr`` (n_items + 1,) delimits ``item_user`` (n,), ascending, and
    ``item_position`` (n,), where the same entry stands by user.
    """

    user_indptr: Int64Array
    user_item: Int32Array
    item_indptr: Int64Array
    item_user: Int32Array
    item_position: Int32Array

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.user_indptr) - 1

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.item_indptr) - 1

    @property
    def index(self) -> UserItemIndex:
        """The arrays as compiled loops over pairs of items of a user take them."""
        return UserItemIndex(
            self.user_indptr, self.user_item, self.item_indptr, self.item_user, self.item_position
        )

    def count_item_pairs(self) -> Int64Array:
        """How many pairs (i, j < i) of a user each item i is in, (n_items,)."""
        count = np.empty(self.n_items, np.int64)
        _count_item_pairs(self.index, count)
        return count


@dataclass(frozen=True, slots=True)
class GroupedEntries(UserItemGroups):
    """Grouped entries; ``user_entry`` (n,) is which entry each one by user was."""

    user_entry: Int32Array


@dataclass(frozen=True, slots=True)
class GroupedRatings(UserItemGroups):
    """Grouped ratings; ``user_rating`` (n,) is parallel to ``user_item``.

    Number k is the item ``order[k]``, and ``rank`` is the inverse. With the most rated items first,
    what is accumulated over a user's list lands mostly in the same few cache lines.
    """

    user_rating: Float64Array
    order: Int64Array
    rank: Int64Array


def group_ratings(
    user: Int32Array,
    item: Int32Array,
    rating: Float64Array,
    n_users: int,
    n_items: int,
    selected: BoolArray | None = None,
) -> GroupedRatings:
    """Group parallel arrays of entries, each (user, item) at most once; all, or those selected.

    Raises
    ------
    InputError
        There are more entries than 32 bits can number.
    """
    selected = np.ones(len(user), bool) if selected is None else selected
    order = argsort_descending(count_entries_per_item(item, n_items, selected))
    rank = np.empty(n_items, np.int64)
    rank[order] = np.arange(n_items)
    grouped = group_entries(user, item, rank, n_users, n_items, selected)
    return GroupedRatings(*grouped.index, rating[grouped.user_entry], order, rank)


def group_scores(ratings: Ratings, selected: BoolArray | None = None) -> GroupedRatings:
    """Return the scored entries, or those ``selected`` (entries,), grouped both ways."""
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
    """Group the selected entries; ``rank`` (n,) numbers each item below ``n_numbers``.

    Time is linear in the entries; memory is that of the result.

    Raises
    ------
    InputError
        There are more entries than 32 bits can number.
    """
    if len(user) > MAX_ENTRIES:
        raise InputError(f"{len(user):,} entries; one machine takes at most {MAX_ENTRIES:,}.")
    by_user = None
    if (user[1:] < user[:-1]).any():
        by_user = np.argsort(user, kind="stable").astype(np.int32)
        user, item, selected = user[by_user], item[by_user], selected[by_user]
    of_user, of_item = np.zeros(n_users, np.int64), np.zeros(len(rank), np.int64)
    _count_entries(user, item, selected, of_user, of_item)
    of_number = np.zeros(n_numbers, np.int64)
    has = of_item > 0
    of_number[rank[has]] = of_item[has]
    item_indptr = np.concatenate([[0], np.cumsum(of_number)])
    user_indptr = np.concatenate([[0], np.cumsum(of_user)])
    n = int(user_indptr[-1])
    item_user, item_position = np.empty(n, np.int32), np.empty(n, np.int32)
    _group_by_item(user, item, selected, rank, item_indptr[:-1].copy(), item_user, item_position)
    user_item, user_entry = np.empty(n, np.int32), np.empty(n, np.int32)
    _group_by_user(
        item_indptr, item_user, item_position, user_indptr[:-1].copy(), user_item, user_entry
    )
    if by_user is not None:
        user_entry = by_user[user_entry]
    return GroupedEntries(user_indptr, user_item, item_indptr, item_user, item_position, user_entry)


def count_entries_per_item(
    item: Int32Array, n_items: int, selected: BoolArray | None = None
) -> Int64Array:
    """How many entries, or selected ones, each item has, (n_items,)."""
    count = np.zeros(n_items, np.int64)
    for first in range(0, len(item), CHUNK_ENTRIES):
        chunk = slice(first, first + CHUNK_ENTRIES)
        own = item[chunk] if selected is None else item[chunk][selected[chunk]]
        count += np.bincount(own, minlength=n_items)
    return count


def argsort_descending(count: Int64Array) -> Int64Array:
    """Return the indices (n,) by falling count, of equal ones the first first."""
    return np.argsort(-count, kind="stable")


def rows_by_user(user: Int32Array, n_users: int) -> list[Int64Array]:
    """Rows of every user, ascending: an array (r,) of indices into ``user`` (e,) a user."""
    edges = np.cumsum(np.bincount(user, minlength=n_users))
    return np.split(np.argsort(user, kind="stable"), edges[:-1])


@numba.njit(nogil=True, cache=True)
def _count_item_pairs(index: UserItemIndex, n_pairs: Int64Array) -> None:
    for i in range(len(n_pairs)):
        total = 0
        for p in range(index.item_indptr[i], index.item_indptr[i + 1]):
            total += index.item_position[p] - index.user_indptr[index.item_user[p]]
        n_pairs[i] = total


@numba.njit(nogil=True, cache=True)
def _count_entries(
    user: Int32Array,
    item: Int32Array,
    selected: BoolArray,
    of_user: Int64Array,
    of_item: Int64Array,
) -> None:
    for entry in range(len(user)):
        if selected[entry]:
            of_user[user[entry]] += 1
            of_item[item[entry]] += 1


@numba.njit(nogil=True, cache=True)
def _group_by_item(
    user: Int32Array,
    item: Int32Array,
    selected: BoolArray,
    rank: Int64Array,
    next_slot: Int64Array,
    item_user: Int32Array,
    item_entry: Int32Array,
) -> None:
    """Append entries, users ascending, by item; ``next_slot`` is where each item's begin."""
    for entry in range(len(user)):
        if selected[entry]:
            number = rank[item[entry]]
            slot = next_slot[number]
            next_slot[number] = slot + 1
            item_user[slot] = user[entry]
            item_entry[slot] = entry


@numba.njit(nogil=True, cache=True)
def _group_by_user(
    item_indptr: Int64Array,
    item_user: Int32Array,
    item_entry: Int32Array,
    next_slot: Int64Array,
    user_item: Int32Array,
    entry: Int32Array,
) -> None:
    """From items, in their order, back to users; ``item_entry`` becomes the slots by user."""
    for number in range(len(item_indptr) - 1):
        for p in range(item_indptr[number], item_indptr[number + 1]):
            slot = next_slot[item_user[p]]
            next_slot[item_user[p]] = slot + 1
            user_item[slot] = number
            entry[slot] = item_entry[p]
            item_entry[p] = slot
