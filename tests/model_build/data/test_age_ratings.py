"""Age ratings: read, taken from relatives, inferred from words; and what is for adults only."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from app.age_rating import AgeRating
from model_build.data.age_ratings import infer_rating, is_for_adults, rate_catalogue, read_rating

TABLE = Path(__file__).with_name("well_known_ratings.csv").read_text("utf-8")
WELL_KNOWN = list(csv.DictReader(TABLE.splitlines()))
"""Anime that everybody knows, with the words that are said of them, and MyAnimeList's rating."""


def inferred_of(row: dict[str, str]) -> AgeRating:
    rating = infer_rating(row["words"].split(";"), row["type"])
    assert rating is not None
    return rating


def table(**columns: list[object]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    return pl.DataFrame({"anime_id": list(range(1, count + 1)), **columns}, strict=False)


def test_three_in_four_well_known_ratings_are_inferred_right() -> None:
    right = [row["title"] for row in WELL_KNOWN if inferred_of(row) == row["rating"]]
    assert len(WELL_KNOWN) == 36
    assert len(right) >= 0.7 * len(WELL_KNOWN), right


def test_nobody_is_shown_horror_as_for_teens() -> None:
    for row in WELL_KNOWN:
        inferred, known = inferred_of(row), AgeRating(row["rating"])
        if known.level >= AgeRating.R17.level:
            assert inferred.level >= AgeRating.R17.level, row["title"]
        if known is AgeRating.PG:
            assert inferred.level <= AgeRating.PG13.level, row["title"]


def test_what_is_erotic_is_for_adults_and_nothing_else_well_known() -> None:
    adult = {
        row["title"]
        for row in WELL_KNOWN
        if is_for_adults(AgeRating(row["rating"]), row["words"].split(";"))
    }
    assert adult == {"Kaifuku Jutsushi no Yarinaoshi", "Ishuzoku Reviewers"}


@pytest.mark.parametrize(
    ("rating", "words", "is_adult"),
    [
        (AgeRating.RX, ["Comedy"], True),
        (AgeRating.RPLUS, ["Ecchi", "Group Sex", "Sex Toys"], True),
        (AgeRating.RPLUS, ["Ecchi", "Group Sex"], False),
        (AgeRating.PG13, ["Comedy", "Ahegao", "Nakadashi"], False),  # a joke's tags
        (None, ["Hentai"], True),
    ],
)
def test_adult_by_rating_genre_or_tags(
    rating: AgeRating | None, words: list[str], is_adult: bool
) -> None:
    assert is_for_adults(rating, words) is is_adult


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("R+ - Mild Nudity", AgeRating.RPLUS),
        ("Rx - Hentai", AgeRating.RX),
        ("PG - Children", AgeRating.PG),
        ("pg_13", AgeRating.PG13),
        ("r", AgeRating.R17),
        ("r17", AgeRating.R17),
        ("Unrated", None),
        (None, None),
    ],
)
def test_every_spelling_is_read(text: str | None, rating: AgeRating | None) -> None:
    assert read_rating(text) is rating


def test_what_is_flagged_or_hentai_is_rx_unless_it_is_known_better() -> None:
    frame = table(
        adult=[True, False, True],
        genres=["Comedy", "Comedy;Hentai", "Erotica"],
        age_rating=[None, None, "R+ - Mild Nudity"],
    )
    rated = rate_catalogue(frame)
    assert [each.rating for each in rated] == [AgeRating.RX, AgeRating.RX, AgeRating.RPLUS]
    assert all(each.is_adult for each in rated)


def test_the_strictest_relative_decides_where_no_rating_is_known() -> None:
    frame = table(
        age_rating=["PG-13 - Teens 13 or older", "R - 17+", None, None, None, "Rx - Hentai"],
        genres=["Kids", "Kids", "Kids", "Kids", "", "Comedy"],
        type=["TV"] * 6,
        relations=[None, None, "prequel:1;summary:2", "character:2;other:1", "sequel:4", None],
    )
    rated = rate_catalogue(frame)
    assert [(each.rating, each.is_inferred) for each in rated] == [
        (AgeRating.PG13, False),
        (AgeRating.R17, False),
        (AgeRating.R17, True),
        (AgeRating.PG, True),  # who shares a character is no relative: by its genre
        (None, False),  # what was inferred is not passed on
        (AgeRating.RX, False),
    ]
    assert [each.is_adult for each in rated] == [False] * 5 + [True]
