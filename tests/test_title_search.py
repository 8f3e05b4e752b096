"""Search on made-up titles that are as awkward as real ones."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.catalogue import COLUMN_DEFAULTS, Catalogue
from app.title_search import TitleIndex, normalize_text

TITLES = [
    (1, "Kouya no Hagane", "Steel of the Wasteland", 900_000),
    (2, "Kouya no Hagane: Sairai", "Steel of the Wasteland: Return", 500_000),
    (3, "Tenshi;Mon", None, 700_000),
    (4, "Mon", None, 5_000),
    (5, "Tenshi;Mon: Gekijouban", None, 90_000),
    (6, "Café Étoile", None, None),
    (7, "Mahou x Mahou", None, 1_000),
    (8, "Mahou x Mahou", None, 800_000),
    (9, "K", None, 400_000),
]


@pytest.fixture(scope="module")
def titles() -> TitleIndex:
    columns = {name: [empty] * len(TITLES) for name, empty in COLUMN_DEFAULTS.items()}
    for name, values in zip(
        ("anime_id", "title", "title_english", "members"), zip(*TITLES, strict=True), strict=True
    ):
        columns[name] = list(values)
    return TitleIndex(Catalogue(columns), columns["anime_id"])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("kouya no hagane", [1, 2]),
        ("KOUYA", [1, 2]),
        ("hagane kouya", [1, 2]),
        ("koya no hagene", [1, 2]),
        ("steel of the wasteland", [1, 2]),
        ("stel of teh wastland", [1, 2]),
        ("sairai", [2]),
        ("tenshi mon", [3, 5]),
        ("tnshi mon", [3, 5]),
        ("mon", [4]),
        ("cafe etoile", [6]),
        ("mahou x mahou", [8, 7]),
        ("k", [9]),
    ],
)
def test_what_is_meant_comes_first(titles: TitleIndex, text: str, first: list[int]) -> None:
    assert titles.search(text, 10)[: len(first)] == first


@pytest.mark.parametrize("text", ["", "  ", "!?;", "qqqqqqqq wwwwwww"])
def test_nothing_is_like_nothing(titles: TitleIndex, text: str) -> None:
    assert titles.search(text, 10) == []


def test_no_more_than_wanted_and_each_once(titles: TitleIndex) -> None:
    assert titles.search("kouya steel", 1) == [1]
    found = titles.search("o", 10)
    assert len(set(found)) == len(found)


@given(st.text(max_size=150))
def test_any_text_is_a_search(titles: TitleIndex, text: str) -> None:
    assert set(titles.search(text, 3)) <= {row[0] for row in TITLES}


@given(st.text(max_size=30))
@example("𝚨")
def test_plain_is_plain(text: str) -> None:
    assert normalize_text(normalize_text(text)) == normalize_text(text)


def test_plain() -> None:
    assert normalize_text("  Étoile;GATE — 2×") == "etoile gate 2"
    assert normalize_text("進撃の巨人") == "進撃の巨人"
