"""Searches as fans type them, on the catalogue of the bundled model."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from app.catalogue import Catalogue
from app.settings import BUNDLED_MODEL_DIR
from app.title_search import TitleIndex

with Path(__file__).with_name("queries.csv").open(encoding="utf-8", newline="") as _file:
    QUERIES = list(csv.DictReader(_file))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.open(BUNDLED_MODEL_DIR / "catalogue.json.gz")


@pytest.fixture(scope="module")
def titles(catalogue: Catalogue) -> TitleIndex:
    return TitleIndex(catalogue, catalogue.anime_ids())


@pytest.mark.parametrize("row", QUERIES, ids=lambda row: row["query"])
def test_what_is_meant_is_among_the_first_three(
    catalogue: Catalogue, titles: TitleIndex, row: dict[str, str]
) -> None:
    meant = int(row["anime_id"])
    assert catalogue.title(meant) == row["title"]
    assert meant in titles.search(row["query"], 3)


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("リゼロ", 31240),
        ("エヴァンゲリオン", 30),
        ("コナン", 235),
        ("ブリーチ", 269),
        ("demon slayer 2", 38000),
    ],
)
def test_nothing_comes_before_it(titles: TitleIndex, query: str, meant: int) -> None:
    assert titles.search(query, 1) == [meant]


def test_mostly_it_is_the_first(titles: TitleIndex) -> None:
    first = [titles.search(row["query"], 1) == [int(row["anime_id"])] for row in QUERIES]
    assert sum(first) >= 0.9 * len(QUERIES)


def test_new_titles_are_found_by_their_first_three_words(
    catalogue: Catalogue, titles: TitleIndex
) -> None:
    anime = map(catalogue.get_anime, sorted(catalogue.anime_ids()))
    new = [each for each in anime if each.type == "TV" and (each.year or 0) >= 2022]
    drawn = random.Random(1).sample(new, 150)
    found = [(each.anime_id, titles.search(" ".join(each.title.split()[:3]), 50)) for each in drawn]
    assert all(meant in ids for meant, ids in found)
    assert sum(meant in ids[:3] for meant, ids in found) >= 140


def test_one_letter_wrong_is_forgiven(catalogue: Catalogue, titles: TitleIndex) -> None:
    """A letter left out, doubled, swapped with the next or another: in titles fans know."""
    anime = map(catalogue.get_anime, catalogue.anime_ids())
    best_known = sorted(anime, key=lambda each: (-(each.members or 0), each.anime_id))[:1000]
    draw = random.Random(3)
    found = []
    for each in draw.sample([each for each in best_known if len(each.title) >= 8], 150):
        at = draw.randrange(1, len(each.title) - 2)
        before, letter, after = each.title[:at], each.title[at], each.title[at + 1 :]
        wrong = draw.choice(
            [
                before,
                before + 2 * letter,
                before + after[0] + letter,
                before + draw.choice("aeknst"),
            ]
        )
        rest = after[1:] if wrong == before + after[0] + letter else after
        found.append(each.anime_id in titles.search(wrong + rest, 3))
    assert sum(found) >= 0.95 * len(found)
