"""Pieces of collecting that hold for any input."""

from __future__ import annotations

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_build.cli import main
from model_build.collect.config import ACTIVITY_SEGMENTS
from model_build.collect.kitsu.api import KEPT_FIELDS, filter_page, parse_id
from model_build.collect.kitsu.collection import add_segments, assign_segments
from model_build.collect.kitsu.library import _convert_rating
from model_build.collect.kitsu.users import MAX_COUNT, parse_count, parse_date

SIMPLE = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)
WORDS = st.sampled_from(["data", "id", "name", "anime", "status", "mappings", "favorites"])
PARTS = st.dictionaries(WORDS, SIMPLE | st.dictionaries(WORDS, SIMPLE, max_size=2), max_size=3)
RECORDS = st.fixed_dictionaries(
    {"type": st.sampled_from([*KEPT_FIELDS, "else"]) | SIMPLE},
    optional={"id": SIMPLE, "attributes": PARTS | SIMPLE, "relationships": PARTS | SIMPLE},
)
PAGES = st.fixed_dictionaries(
    {},
    optional={
        "data": st.lists(RECORDS | SIMPLE, max_size=3) | RECORDS | SIMPLE,
        "included": st.lists(RECORDS | SIMPLE, max_size=3) | SIMPLE,
        "links": PARTS | SIMPLE,
        "meta": PARTS | SIMPLE,
    },
)


@given(st.integers(2, 20))
def test_scores_of_twenty_are_halved_and_halves_go_up(twenty: int) -> None:
    exact = int((Decimal(twenty) / 2).quantize(Decimal(1), ROUND_HALF_UP))
    for written in (twenty, str(twenty), float(twenty)):
        assert _convert_rating(written, Counter()) == exact


@pytest.mark.parametrize("value", [1, 21, -2, "many", [3], {}, "nan", "inf", True])
def test_other_scores_are_counted_and_none(value: object) -> None:
    tally: Counter[str] = Counter()
    assert _convert_rating(value, tally) == 0
    assert tally == {"scores out of range": 1}
    assert (_convert_rating(None, tally), _convert_rating(0, tally)) == (0, 0)
    assert tally.total() == 1


@given(PAGES)
def test_whatever_comes_only_what_was_asked_for_is_kept(page: dict[str, object]) -> None:
    kept = filter_page(page)
    for record in [*kept["data"], *kept["included"]]:
        wanted = set(KEPT_FIELDS[record["type"]])
        assert set(record) == {"type", "id", "attributes", "relationships"}
        assert set(record["attributes"]) | set(record["relationships"]) <= wanted


@given(SIMPLE | PARTS)
def test_counts_and_days_never_fail(value: object) -> None:
    assert 0 <= parse_count(value) <= MAX_COUNT
    parse_date(value)


@given(st.text(max_size=12) | st.integers(0, 10**12).map(str))
def test_numbers_of_records_fit_the_tables(text: str) -> None:
    number = parse_id(text)
    if number is not None:
        assert 0 <= number < 10**9
        assert int(text) == number
    assert (parse_id("17"), parse_id("²"), parse_id("9" * 30), parse_id("")) == (
        17,
        None,
        None,
        None,
    )


def test_counts() -> None:
    values = [None, 3, "4", -1, 2.9, "x", True, 10**12, float("inf")]
    assert [parse_count(value) for value in values] == [0, 3, 4, 0, 2, 0, 0, MAX_COUNT, MAX_COUNT]


scores = st.lists(st.floats(0, 20), min_size=1, max_size=50)


@given(scores)
def test_segments_are_thirds_of_the_range(values: list[float]) -> None:
    array = np.array(values)
    found = assign_segments(array)
    lowest, highest = array.min(), array.max()
    if lowest == highest:
        assert set(found) == {"Low"}
        return
    assert found[int(array.argmin())] == "Low"
    assert found[int(array.argmax())] == "High"
    rank = [ACTIVITY_SEGMENTS.index(name) for name in found]
    assert [rank[at] for at in np.argsort(array, kind="stable")] == sorted(rank)
    for value, place in zip(values, rank, strict=True):
        third = 3 * (value - lowest) / (highest - lowest)
        assert place - 1e-6 <= third <= place + 1 + 1e-6


def test_the_score_weighs_ratings_and_favourites() -> None:
    users = pl.DataFrame(
        {"life_spent_on_anime": [100, 0, 10_000], "ratings": [0, 8, 4], "favorites": [2, 0, 0]}
    )
    found = add_segments(users)
    assert found["score"].to_list() == pytest.approx(np.log([103, 10, 10_005]).tolist())
    assert found["segment"].to_list() == ["Medium", "Low", "High"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["kitsu", "--users", "0"], "at least 1"),
        (["kitsu", "--users", "5", "--segments", "Medium,Huge"], "Low, Medium, High"),
        (["kitsu", "--users", "5", "--segments", ","], "Low, Medium, High"),
        (["kitsu", "--users", "5", "--rate", "-1"], "0.01 to 100"),
        (["kitsu", "--users", "5", "--rate", "nan"], "0.01 to 100"),
        (["myanimelist", "--usernames", "x", "--source", "elsewhere"], "--source"),
        (["crunchyroll"], "crunchyroll"),
    ],
)
def test_a_wrong_option_is_named(
    capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["collect", *options, "--out", "unused"])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
