"""Search on made-up titles that are as awkward as real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalogue import COLUMN_DEFAULTS, Catalogue
from app.title_search import TitleIndex, normalize_text
from app.title_search.names import MAX_EXAMINED

COLUMNS = ("anime_id", "title", "title_english", "members", "title_native", "synonyms")
TITLES = [
    (1, "Kouya no Hagane", "Steel of the Wasteland", 900_000, "荒野の鋼", "KnH Steel|Iron Waste"),
    (2, "Kouya no Hagane: Sairai", "Steel of the Wasteland: Return", 500_000),
    (3, "Tenshi;Mon", None, 700_000),
    (4, "Mon", None, 5_000),
    (5, "Tenshi;Mon: Gekijouban", None, 90_000),
    (6, "Café Étoile", None, None),
    (7, "Mahou x Mahou", None, 1_000),
    (8, "Mahou x Mahou", None, 800_000),
    (9, "K", None, 400_000),
    (10, "Bokura wa Sora no Shita", "We & the Sky", 600_000),
    (11, "Bokura wa Sora no Shita 2nd Season", "We & the Sky Season 2", 300_000),
    (12, "Bwsns", None, 10),
    (13, "Sora", None, 700, None, "Bokusora"),
    (14, "Umi no Hagane", None, 2_000_000),
    (15, "Haganeiro", None, 100),
    (16, "Robotto Densetsu", "Robot Legend", 30_000),
    (17, "The The", None, 20),
]


def index_of(rows: Sequence[tuple[Any, ...]]) -> TitleIndex:
    padded = [row + (None,) * (len(COLUMNS) - len(row)) for row in rows]
    columns = {name: [empty] * len(rows) for name, empty in COLUMN_DEFAULTS.items()}
    for name, values in zip(COLUMNS, zip(*padded, strict=True), strict=True):
        columns[name] = list(values)
    return TitleIndex(Catalogue(columns), columns["anime_id"])


@pytest.fixture(scope="module")
def titles() -> TitleIndex:
    return index_of(TITLES)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("kouya no hagane", [1, 2]),
        ("KOUYA", [1, 2]),
        ("kōya", [1, 2]),
        ("hagane kouya", [1, 2]),
        ("koya no hagene", [1, 2]),
        ("kouyano hagane", [1, 2]),
        ("steel of wasteland", [1, 2]),
        ("stel of teh wastland", [1, 2]),
        ("荒野の鋼", [1]),
        ("荒野", [1]),
        ("iron waste", [1]),
        ("sairai", [2]),
        ("tenshi mon", [3, 5]),
        ("tnshi mon", [3, 5]),
        ("mon", [4, 3, 5]),
        ("cafe etoile", [6]),
        ("mahou x mahou", [8, 7]),
        ("mahou×mahou", [8, 7]),
        ("k", [9, 1, 2]),
        ("we and the sky", [10, 11]),
        ("we & the sky II", [11]),
        ("bokura wa sora no shita s2", [11]),
        ("ロボット", [16]),
        ("the the", [17]),
    ],
)
def test_what_is_meant_comes_first(titles: TitleIndex, text: str, first: list[int]) -> None:
    assert titles.search(text, 10)[: len(first)] == first


def test_beginnings_come_before_words_however_well_known(titles: TitleIndex) -> None:
    assert titles.search("hagane", 10) == [15, 14, 1, 2]


def test_a_synonym_comes_behind_better_known_titles_that_begin_with_it() -> None:
    index = index_of(
        [
            (1, "Onibocchi", None, 30_000, None, "Demon Hunter|Mon"),
            (2, "Yaiba", "Demon Hunter: Blade", 3_000_000),
            (3, "Demon Hunter 2", None, 20_000),
            (4, "Demon Hunters", None, 50_000),
            (5, "Monban", None, 90_000),
        ]
    )
    assert index.search("demon hunter", 10) == [2, 1, 4, 3]
    assert index.search("mon", 10)[:2] == [1, 5], "a word of its own, not what begins another"


def test_a_number_that_was_typed_comes_before_those_that_begin_with_it() -> None:
    index = index_of(
        [
            (1, "Hagane Movie 10: Yama", None, 900_000),
            (2, "Hagane Movie 01: Sora", None, 50_000),
            (3, "Hagane Movie 12: Umi", None, 40_000),
            (4, "86", None, 30_000),
            (5, "8 Seeds", None, 20_000),
            (6, "Kouya Hagane: Movie 2 Hoshi", None, 10_000),
            (7, "Kouya Hagane: Movie 21", None, 90_000),
        ]
    )
    assert index.search("hagane movie 1", 10)[:3] == [2, 1, 3], "it may become the tenth"
    assert index.search("hagane movie 01", 10)[:1] == [2]
    assert index.search("movie 2", 10) == [6, 7]
    assert index.search("hoshi movie 2", 10)[:1] == [6]
    assert index.search("movie 1 hagane", 10)[:1] == [2]
    assert 1 not in index.search("movie 1 hagane", 10), "it does not go on any more"
    assert index.search("8", 10)[:2] == [4, 5], "86 begins so"


def test_short_names_are_made_of_synonyms_with_the_number_of_a_season() -> None:
    index = index_of(
        [
            (1, "Kouya no Tatakai", "War on Wasteland", 900, None, "KxT"),
            (
                *(2, "Kouya no Tatakai: The Final Season", "War on Wasteland Final Season", 800),
                *(None, "War on Wasteland Season 4"),
            ),
            (3, "Kouya no Tatakai: The Final Season - Kanketsu-hen", None, 700),
            (4, "Wowu 4", None, 10),
            (5, "Sora: Ame-hen", None, 600, None, "Kouya no Tatakai 3rd Season"),
            (6, "Kaze", "Wind", 500, None, "Umi no Shinjitsu: Kaze|Blade of Demon Wars"),
            (8, "Umi Movie 12: Yama", "Sea Movie 12", 40),
            (9, "Umi Movie 01: Hoshi", None, 30),
        ]
    )
    assert index.search("wow s4", 10)[:1] == index.search("wow season 4", 10)[:1] == [2]
    assert index.search("wow final season", 10)[:1] == [2]
    assert index.search("knt final season", 10)[:2] == [2, 3]
    assert index.search("kxt s3", 10)[:1] == [5], "the series is called so"
    assert index.search("umishin", 10)[:1] == [6], "as Hagaren is"
    assert index.search("sea movie 1", 10)[:2] == [9, 8], "films that are called both"


def test_the_series_of_a_season_that_has_no_number_comes_before_what_is_alike() -> None:
    index = index_of(
        [
            (1, "Onibocchi", None, 30_000, None, "Demon Hunter"),
            (2, "Yaiba", "Demon Hunter: Blade", 3_000_000),
            (3, "Yaiba: Machi-hen", "Demon Hunter: Blade Town Arc", 2_000_000),
        ]
    )
    for text in ("demon hunter 2", "demon hunter s2", "demon hunter final season"):
        assert index.search(text, 10) == [2, 3, 1]


def test_what_is_made_of_a_title_comes_after_real_names(titles: TitleIndex) -> None:
    assert titles.search("bwsns", 10)[:2] == [12, 10], "initials"
    assert titles.search("bokusora", 10)[:2] == [13, 10], "first syllables of two words"
    assert titles.search("bokushita", 10)[:2] == [10, 11], "the first word and a later one"
    assert titles.search("bwsns 2", 10)[0] == 11
    assert titles.search("kh", 10) == [], "a particle has an initial, too"
    assert titles.search("knh", 10)[:2] == [1, 2]


def test_what_is_only_alike_comes_last_and_where_little_is_found(titles: TitleIndex) -> None:
    assert titles.search("tenshi mon gekijouban", 10) == [5, 3]
    assert titles.search("tenshi mno", 10)[:2] == [3, 5]
    assert titles.search("mon", 10) == [4, 3, 5], "three are enough"


@pytest.mark.parametrize("text", ["", "  ", "!?;", "qqqqqqqq wwwwwww", "ヌヌヌ"])
def test_nothing_is_like_nothing(titles: TitleIndex, text: str) -> None:
    assert titles.search(text, 10) == []


def test_no_more_than_wanted_and_each_once(titles: TitleIndex) -> None:
    assert titles.search("kouya steel", 1) == [1]
    found = titles.search("o", 10)
    assert len(set(found)) == len(found)


@settings(deadline=None)
@given(st.text(max_size=150))
def test_any_text_is_a_search(titles: TitleIndex, text: str) -> None:
    assert set(titles.search(text, 3)) <= {row[0] for row in TITLES}


def test_a_catalogue_of_nothing_is_searched() -> None:
    empty = TitleIndex(Catalogue({name: [] for name in COLUMN_DEFAULTS}), [])
    assert empty.search("anything", 10) == empty.search("ワンピース", 10) == []


WORDS = st.lists(st.sampled_from(["aka", "ao", "akai", "2", "sora", "ii", "no"]), min_size=1)
ROWS = st.lists(st.tuples(WORDS, st.integers(0, 3)), min_size=1, max_size=30)


@settings(deadline=None)
@given(ROWS, WORDS)
def test_names_that_hold_the_search_stand_in_the_stated_order(
    rows: list[tuple[list[str], int]], query: list[str]
) -> None:
    """As by looking at every name: equal, then beginning so, then within; members, then number."""
    made = [(at, " ".join(words), None, members) for at, (words, members) in enumerate(rows, 1)]
    wanted = normalize_text(" ".join(query))
    tiers: list[Callable[[str], bool]] = [
        lambda name: name == wanted,
        lambda name: name.startswith(wanted),
        lambda name: f" {wanted}" in name,
    ]
    ordered = sorted(made, key=lambda row: (-row[3], row[0]))
    expected = [row[0] for holds in tiers for row in ordered if holds(normalize_text(row[1]))]
    expected = list(dict.fromkeys(expected))
    found = [
        each
        for each in index_of(made).search(" ".join(query), MAX_EXAMINED)
        if each in set(expected)
    ]
    assert found == expected
