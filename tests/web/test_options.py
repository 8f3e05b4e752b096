from __future__ import annotations

from contextlib import suppress
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.recommender import SortOrder
from app.web.requests.query import (
    MAX_TOP,
    MediaType,
    PlannedMode,
    QueryOptions,
    TitleLanguage,
    parse_page_query,
    parse_query,
    to_page_query,
)
from app.web.requests.values import MAX_MARKS, InvalidQuery

IDS = st.integers(1, 2**31 - 1).filter(lambda n: n < 10**9)
SLUGS = st.lists(st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)?", fullmatch=True), max_size=3, unique=True)
OPTIONS = st.builds(
    QueryOptions,
    top=st.integers(1, MAX_TOP),
    order=st.sampled_from(SortOrder),
    adult=st.booleans(),
    type=st.lists(st.sampled_from(list(MediaType)), unique=True),
    genre=SLUGS.map(lambda names: [name[:40] for name in names]),
    without=SLUGS.map(lambda names: [name[:19] for name in names]),
    year_from=st.none() | st.integers(1900, 1990),
    year_to=st.none() | st.integers(1990, 2100),
    min_episodes=st.none() | st.integers(1, 12),
    max_episodes=st.none() | st.integers(12, 9999),
    popularity=st.integers(-5, 5),
    new_series=st.booleans(),
    planned=st.sampled_from(PlannedMode),
    extras=st.booleans(),
    ignore_dropped=st.booleans(),
    ignore=st.lists(IDS, max_size=5, unique=True),
    title=st.sampled_from(TitleLanguage),
    hide=st.lists(IDS, max_size=5, unique=True),
    seen=st.dictionaries(IDS, st.integers(0, 10), max_size=5).map(lambda m: list(m.items())),
)


@given(OPTIONS)
def test_an_address_says_all_and_no_more(options: QueryOptions) -> None:
    query = to_page_query(options)
    assert parse_page_query(query) == options
    default = QueryOptions()
    changed = [n for n in QueryOptions.model_fields if getattr(options, n) != getattr(default, n)]
    assert len(query) == len(changed)


@given(
    st.dictionaries(st.sampled_from([*QueryOptions.model_fields, "n", "x"]), st.text(max_size=6))
)
def test_any_query_is_read_or_refused(query: dict[str, str]) -> None:
    with suppress(InvalidQuery):
        assert 1 <= parse_page_query(query).top <= MAX_TOP


def test_names_of_the_api_are_not_names_of_the_page() -> None:
    assert parse_page_query({"top": "5"}) == QueryOptions()
    with pytest.raises(InvalidQuery, match="“n”"):
        parse_page_query({"n": "five"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("type=cinema", "“type” should be some of tv, movie"),
        (
            "year_from=2010&year_to=20000",
            "“year_to” should be a year from 1900 to 2100, not before",
        ),
        ("min_episodes=5&max_episodes=x", "“max_episodes” should be"),
        ("min_episodes=0", "“min_episodes” should be a whole number from 1"),
        ("popularity=6", "“popularity” should be a whole number from -5 (the biggest hits)"),
        ("planned=maybe", "“planned” should be one of no, yes, only"),
        ("hide=1,x", "“hide” should be up to 200 anime ids"),
        ("hide=0", "“hide” should be up to 200 anime ids"),
        ("seen=5:11", "“seen” should be up to 200 of anime id:score"),
        ("seen=5:8:9", "“seen” should be"),
        ("seen=" + "5:8," * 2001, "“seen” should be"),
        ("genre=" + ",".join("abcdefghijklmnopqrstu"), "“genre” should be up to 20 genres"),
        ("new_series=perhaps", "“new_series” should be 1 or 0"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, sentence: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse_page_query(dict(parse_qsl(text)))
    assert str(caught.value).startswith(sentence)


def test_a_page_forgets_the_earliest_of_too_many_marks_and_the_api_refuses_them() -> None:
    marks = [f"{n}:1" for n in range(1, MAX_MARKS + 1)]
    page = MultiDict([("seen", ",".join(marks)), ("seen", "1:9")])
    assert parse_page_query(page).seen == ((1, 9), *((n, 1) for n in range(2, MAX_MARKS + 1)))
    page.add("seen", "999:7")
    assert parse_page_query(page).seen == (*((n, 1) for n in range(2, MAX_MARKS + 1)), (999, 7))
    with pytest.raises(InvalidQuery, match="“seen” should be up to 200"):
        parse_query(QueryOptions, {"seen": ",".join([*marks, "999:7"])})


def test_a_page_reads_a_swapped_range_as_it_was_meant_and_the_api_refuses_it() -> None:
    swapped = {"year_from": "2010", "year_to": "2000", "min_episodes": "24", "max_episodes": "12"}
    read = parse_page_query(swapped)
    assert (read.year_from, read.year_to) == (2000, 2010)
    assert (read.min_episodes, read.max_episodes) == (12, 24)
    with pytest.raises(InvalidQuery, match="“year_to” should be a year from 1900 to 2100, not bef"):
        parse_query(QueryOptions, swapped)


def test_forms_repeat_and_leave_empty() -> None:
    sent = "type=tv&type=movie&genre=&year_to=&seen=&seen=5:8,6&seen=5:9&genre=Slice of Life"
    form = MultiDict(parse_qsl(sent, keep_blank_values=True))
    assert to_page_query(parse_page_query(form)) == {
        "type": "tv,movie",
        "genre": "slice-of-life",
        "seen": "5:9,6:0",
    }
