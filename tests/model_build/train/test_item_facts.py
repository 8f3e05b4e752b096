"""What training takes from a catalogue: years, stories, and which anime join without lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from app.recommender.model import RECENT_YEARS
from model_build.train.item_facts import MIN_ITEMS_OF_YEAR, ItemFacts, add_story_affinity


def catalogue(**columns: Any) -> pl.DataFrame:
    ids = columns.pop("anime_id")
    described = {"type": ["TV"] * len(ids), "genres": ["Drama"] * len(ids)}
    return pl.DataFrame({"anime_id": ids, "title": ["x"] * len(ids), **described, **columns})


def test_a_missing_year_is_that_of_the_nearest_numbers() -> None:
    facts = ItemFacts(catalogue(anime_id=[10, 20, 30], year=[2000, None, 2010]))
    ids = np.array([5, 10, 20, 25, 30, 99], np.int32)
    assert facts.item_years(ids).tolist() == [2000, 2000, 2005, 2007, 2010, 2010]
    nothing = ItemFacts(catalogue(anime_id=[1], year=[None]).with_columns(pl.col("year").cast(int)))
    assert nothing.item_years(ids).tolist() == [0] * 6
    assert ItemFacts(catalogue(anime_id=[1])).item_years(ids).tolist() == [0] * 6


def test_the_year_of_the_lists_is_the_newest_of_which_several_anime_are_on_enough() -> None:
    n = MIN_ITEMS_OF_YEAR
    years = [2020] * n + [2024] * n + [2026] * (n - 1) + [2030] * n
    ids = np.arange(1, len(years) + 1, dtype=np.int32)
    entries = np.array([50] * (3 * n - 1) + [1] * n)
    facts = ItemFacts(catalogue(anime_id=ids, year=years))
    assert facts.find_as_of(ids, entries, min_entries=10) == 2024
    assert facts.find_as_of(ids, entries * 0, min_entries=10) == 0
    told = ItemFacts(facts.catalogue, as_of=2022)
    assert told.find_as_of(ids, entries, min_entries=10) == 2022


def test_recent_anime_join_and_what_is_still_to_come_does_not() -> None:
    table = catalogue(anime_id=[1, 2, 3, 4], year=[2026 - RECENT_YEARS - 1, 2021, 2026, 2028])
    assert ItemFacts(table).find_cold_ids(2026).tolist() == [2, 3]
    assert ItemFacts(table, cold_since=0).find_cold_ids(2026).tolist() == []
    assert ItemFacts(table, cold_since=2022).find_cold_ids(2026).tolist() == [3, 4]
    assert ItemFacts(table).find_cold_ids(0).tolist() == [], "nobody knows when it is"


def test_stories_are_pairs_either_way_and_characters_make_none() -> None:
    table = catalogue(
        anime_id=[1, 2, 3, 4], relations=["sequel:2;character:3", "prequel:1", None, "summary:99"]
    )
    ids = np.array([1, 2, 3, 4], np.int32)
    assert ItemFacts(table).story_pairs(ids).tolist() == [[0, 1], [1, 0]]


def test_without_relations_a_franchise_is_one_story() -> None:
    table = catalogue(anime_id=[1, 2, 3], franchise_id=[7, 7, None])
    pairs = ItemFacts(table).story_pairs(np.array([1, 2, 3], np.int32))
    assert pairs.tolist() == [[0, 1], [1, 0]]
    assert ItemFacts(catalogue(anime_id=[1])).story_pairs(np.array([1], np.int32)).size == 0


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
def test_recent_anime_get_what_pairs_of_others_give_each_other(weight: float) -> None:
    """0 and 1 are one story, 2 and 3 another; 4 continues 1, and 5, which nobody lists, 3."""
    dense = np.zeros((6, 6), np.float32)
    dense[0, 1], dense[1, 0], dense[2, 3], dense[3, 2] = 0.4, 0.2, 0.5, 0.1
    dense[0, 2], dense[1, 4], dense[4, 1] = 0.9, 0.03, 0.7
    pairs = [(0, 1), (2, 3), (1, 4), (3, 5)]
    both = np.array(sorted([*pairs, *[(b, a) for a, b in pairs]]))
    recipients = np.array([False] * 4 + [True] * 2)
    found = add_story_affinity(csr_array(dense), both, recipients, weight).toarray()
    # What 4 gives to 1 counts, too: it is not what a recent anime gets.
    usual = np.mean([0.4, 0.2, 0.5, 0.1, 0.7])
    expected = dense.copy()
    expected[1, 4] += weight * usual
    expected[3, 5] += weight * usual
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_without_pairs_nothing_changes() -> None:
    matrix = csr_array(np.ones((2, 2), np.float32))
    nobody = np.array([False, False])
    for pairs in (np.empty((0, 2), np.int64), np.array([[0, 1], [1, 0]])):
        assert (add_story_affinity(matrix, pairs, nobody, 1.0) != matrix).nnz == 0
