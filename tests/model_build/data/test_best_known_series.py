"""What a fan knows of the best-known series, against the catalogue of the bundled model.

``best_known_series.csv`` names for each series the anime that are its backbone, in the order of
watching; further members; and well-known anime that are none. Numbers are MyAnimeList's.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from app.catalogue import Catalogue, read_franchises
from app.recommender import Franchises
from app.recommender.array_types import Int32Array
from app.recommender.artifact import CATALOGUE_FILE, read_manifest
from app.recommender.franchise import collapse_franchises

BUNDLED = Path(__file__).parents[3] / "bundled_model"
FILE = Path(__file__).with_name("best_known_series.csv")


class Expected(NamedTuple):
    name: str
    order: list[int]
    members: list[int]
    apart: list[int]


class Known(NamedTuple):
    catalogue: Catalogue
    franchises: Franchises
    ids: list[int]
    lists: Int32Array


def expected_series() -> Iterator[Expected]:
    with FILE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            ids = ([int(n) for n in row[key].split()] for key in ("order", "members", "apart"))
            yield Expected(row["name"], *ids)


@cache
def known() -> Known:
    """Every anime of the catalogue; as many lists as it has members on MyAnimeList."""
    catalogue = Catalogue.open(BUNDLED / CATALOGUE_FILE)
    ids = catalogue.anime_ids()
    members = [count or 0 for count in catalogue.column_values("members", ids)]
    return Known(catalogue, read_franchises(catalogue, ids), ids, np.array(members, np.int32))


def entry_point(series: list[int], seen: list[int]) -> int | None:
    """What of a series is shown to who has seen some of it."""
    catalogue, franchises, ids, lists = known()
    position = {anime_id: at for at, anime_id in enumerate(ids)}
    allowed = np.zeros(len(ids), bool)
    allowed[[position[n] for n in series if n not in seen]] = True
    folded = collapse_franchises(
        franchises,
        lists,
        read_manifest(BUNDLED).serving_parameters.franchise_shares,
        allowed,
        np.array([position[n] for n in seen], np.int64),
        np.empty(0, np.int64),
    )
    shown = np.flatnonzero(folded.allowed).tolist()
    assert len(shown) <= 1, [catalogue.title(ids[at]) for at in shown]
    return ids[shown[0]] if shown else None


def test_they_are_many() -> None:
    names = [each.name for each in expected_series()]
    assert len(names) == len(set(names)) >= 200


@pytest.mark.parametrize("expected", [*expected_series()], ids=lambda each: each.name)
def test_a_series_is_what_fans_know_it_to_be(expected: Expected) -> None:
    catalogue = known().catalogue
    first, *later = expected.order
    series = catalogue.series(first) or [first]
    titles = {n: catalogue.title(n) for n in (*series, *expected.members, *expected.order)}
    missing = {titles[n] for n in (*expected.order, *expected.members) if n not in series}
    strangers = {titles[n] for n in expected.apart if n in series}
    assert not missing, "they belong to it"
    assert not strangers, "they do not belong to it"
    assert sorted(expected.order, key=series.index) == expected.order, "the order of watching"
    assert entry_point(series, []) == first
    for at, following in enumerate(later, 1):
        found = entry_point(series, expected.order[:at])
        assert found == following, f"next is {titles[found or first]}, not {titles[following]}"
