"""How well anime are known, where nobody counted who has them."""

from __future__ import annotations

import numpy as np

from app.recommender.model import MIN_POPULARITY_ANIME, item_popularity


def test_a_list_stands_for_what_it_does_for_anime_of_its_time() -> None:
    """Most lists are older than recent anime, so that few of them are on any."""
    n = MIN_POPULARITY_ANIME
    members = np.array([1000] * 2 * n + [1000] * n + [0] * 6, np.int32)
    lists = np.array([100] * 2 * n + [1] * n + [5, 5, 5, 5, 0, 5], np.int32)
    years = np.array([2000] * 2 * n + [2024] * n + [2001, 2022, 1980, 0, 2024, 2027], np.int16)
    found = item_popularity(members, lists, years)
    assert (found[: 3 * n] == 1000).all()
    assert found[3 * n :].tolist() == [50, 5000, 50, 50, 0, 50], "else what they all stand for"


def test_without_any_members_lists_count_as_themselves() -> None:
    nothing = np.zeros(3, np.int32)
    found = item_popularity(nothing, np.array([3, 0, 7], np.int32), np.zeros(3, np.int16))
    assert found.tolist() == [3, 0, 7]
