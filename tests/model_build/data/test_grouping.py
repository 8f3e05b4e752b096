"""Grouping both ways, held to sorting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_build.data import grouping
from model_build.data.grouping import count_entries_per_item, group_ratings
from model_build.util.errors import InputError

ENTRIES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 8), st.floats(1, 10), st.booleans()),
    unique_by=lambda entry: entry[:2],
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_every_chosen_entry_stands_where_both_say(
    entries: list[tuple[int, int, float, bool]],
) -> None:
    user = np.array([entry[0] for entry in entries], np.int32)
    item = np.array([entry[1] for entry in entries], np.int32)
    rating = np.array([entry[2] for entry in entries], np.float64)
    chosen = np.array([entry[3] for entry in entries], bool)
    grouped = group_ratings(user, item, rating, 7, 9, chosen)
    assert (grouped.n_users, grouped.n_items) == (7, 9)

    count = np.bincount(item[chosen], minlength=9)
    assert grouped.order.tolist() == sorted(range(9), key=lambda i: (-count[i], i))
    np.testing.assert_array_equal(grouped.rank[grouped.order], np.arange(9))
    by_user = sorted(
        (u, int(grouped.rank[i]), r)
        for u, i, r, kept in zip(user, item, rating, chosen, strict=True)
        if kept
    )
    found = np.repeat(np.arange(7), np.diff(grouped.user_indptr))
    assert list(zip(found, grouped.user_item, grouped.user_rating, strict=True)) == by_user
    by_item = sorted((i, u) for u, i, _ in by_user)
    number = np.repeat(np.arange(9), np.diff(grouped.item_indptr))
    assert list(zip(number, grouped.item_user, strict=True)) == by_item
    np.testing.assert_array_equal(grouped.user_item[grouped.item_position], number)
    np.testing.assert_array_equal(found[grouped.item_position], grouped.item_user)


def test_counting_in_pieces_is_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    item = np.random.default_rng(1).integers(0, 5, 1000).astype(np.int32)
    monkeypatch.setattr(grouping, "CHUNK_ENTRIES", 64)
    np.testing.assert_array_equal(count_entries_per_item(item, 7), np.bincount(item, minlength=7))
    chosen = item != 2
    np.testing.assert_array_equal(
        count_entries_per_item(item, 7, chosen), np.bincount(item[chosen], minlength=7)
    )


def test_more_than_can_be_numbered_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MAX_ENTRIES", 3)
    some = np.arange(4, dtype=np.int32)
    with pytest.raises(InputError, match="one machine takes at most 3"):
        group_ratings(some, some, np.ones(4), 4, 4)
