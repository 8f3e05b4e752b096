"""The second stage of ranking as fans, programs and operators see it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.lists.entry import AnimeList, ListEntry
from app.recommender import Model, WatchStatus
from app.schemas.recommendations import MovedFor, RecommendationSchema
from app.settings import AppSettings
from app.web.presenters.cards import moved_text
from app.web.views import about
from tests.tiny_model import PARTS, series_catalogue, series_ratings, write_tiny_model
from tests.web.fans import IDS, SCORED
from tests.web.html_page import Element
from tests.web.test_pages import page

ADDRESS = "/user/anilist/Regular"
LISTS = {"Regular": SCORED, "FewScores": SCORED[:3], "NoScores": SCORED}
BEGINNINGS = [*IDS[0:30:PARTS], IDS[10]]
"""Anime that begin a series, and one that goes on."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    return write_tiny_model(folder, series_catalogue(), series_ratings())


@pytest.fixture(scope="module")
def app(model: Path, settings: AppSettings) -> Flask:
    """What is asked by `client` here: the application with a model that has a second stage."""
    return create_app(settings.model_copy(update={"model": str(model)}))


def recommended(client: FlaskClient, listed: list[int], **options: Any) -> list[dict[str, Any]]:
    rows = [{"anime_id": n, "score": 10 - place % 5} for place, n in enumerate(listed)]
    answer = client.post("/api/v1/recommendations", json={"list": rows, "top": 60, **options}).json
    assert answer is not None
    found: list[dict[str, Any]] = answer["recommendations"]
    return found


def shown(client: FlaskClient) -> Iterator[tuple[Element, dict[str, Any]]]:
    """The cards of some fans, and what the API says of the same anime, with the ``fan``."""
    for fan in LISTS:
        address = f"/user/anilist/{fan}?n=60"
        answer = client.get(f"{address}&format=json").json
        assert answer is not None
        items = [{**item, "fan": fan} for item in answer["recommendations"]]
        yield from zip(page(client, address).all("li", class_="card"), items, strict=True)


@pytest.mark.parametrize("listed", [SCORED, BEGINNINGS])
def test_reasons_rest_and_what_was_moved_are_what_the_list_is_sorted_by(
    client: FlaskClient, listed: list[int]
) -> None:
    items = recommended(client, listed)
    ranked = []
    for item in items:
        told = sum(reason["weight"] for reason in item["because"]) + item["rest"]
        assert told == pytest.approx(item["match"], abs=1e-4)
        ranked.append(told + item["moved_by"])
        assert item["moved_for"] is None or abs(item["moved_by"]) >= 2
    assert all(above >= below - 1e-4 for above, below in pairwise(ranked))
    percentiles = [item["match_percentile"] for item in items]
    assert percentiles == sorted(percentiles, reverse=True)
    matches = [item["match"] for item in items]
    assert matches != sorted(matches, reverse=True)
    assert len({item["moved_for"] for item in items}) > 2


def test_nothing_is_moved_where_another_number_sorts(client: FlaskClient) -> None:
    for options, listed in (({"order": "score"}, SCORED), ({}, [])):
        items = recommended(client, listed, **options)
        assert {(item["moved_by"], item["moved_for"]) for item in items} == {(0.0, None)}


def test_a_card_tells_in_a_line_what_it_was_moved_for(client: FlaskClient) -> None:
    starts = set()
    for card, item in shown(client):
        lines = [line.text for line in card.all("span", class_="moved")]
        repeats = item["follows"] and item["moved_for"] == "franchise" and item["moved_by"] > 0
        assert bool(lines) == (item["moved_for"] is not None and not repeats)
        start = "Moved up" if item["moved_by"] > 0 else "Moved down"
        assert all(line.startswith(start) for line in lines)
        starts |= {start for _ in lines}
        assert f"Match {min(99, max(1, round(item['match_percentile'])))} %" in card.text
    assert len(starts) == 2


def test_only_a_series_on_the_list_is_called_known(client: FlaskClient) -> None:
    told = 0
    for card, item in shown(client):
        lines = [line.text for line in card.all("span", class_="moved")]
        if lines and item["moved_for"] == "franchise":
            told += 1
            is_known = IDS.index(item["anime_id"]) // PARTS in {
                IDS.index(number) // PARTS for number in LISTS[item["fan"]]
            }
            assert ("of no series that you know" in lines[0]) != is_known
    assert told


def test_favourites_show_the_match_that_cards_show(client: FlaskClient) -> None:
    beside = page(client, "/favourites/anilist/Regular").all("li", class_="card")
    cards = page(client, ADDRESS).all("li", class_="card")[: len(beside)]
    assert beside
    for one, other in zip(beside, cards, strict=True):
        assert one.all("span", class_="value")[0].text == other.all("span", class_="value")[0].text


def test_the_table_has_what_was_moved(client: FlaskClient) -> None:
    text = client.get(f"{ADDRESS}?format=csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    answer = client.get(f"{ADDRESS}?format=json").json
    assert answer is not None
    moved = [float(row["moved_by"]) for row in rows]
    assert moved == [item["moved_by"] for item in answer["recommendations"]]
    assert any(moved)


def test_readiness_and_about_tell_of_it(client: FlaskClient, model: Path) -> None:
    body = client.get("/readyz").json
    assert body is not None
    assert body["second_stage"] is True
    text = page(client, "/about").text
    measured = Model.open(model).manifest.hyperparameters
    names = ("lists", "ndcg", "ndcg_before")
    lists, with_it, without = (float(measured[f"rerank_validation_{name}"]) for name in names)
    assert "The best matches are put in order once more." in text
    assert f"On {lists:.0f} lists that this step had not learned from" in text
    assert f"reach {with_it:.3f} of 1 with it and {without:.3f} without" in text


def test_the_worked_example_goes_on_to_what_the_card_shows(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = IDS[20:32]
    scores = {n: 10 - place % 5 for place, n in enumerate(listed)}
    entries = (ListEntry(n, WatchStatus.COMPLETED, float(s)) for n, s in scores.items())
    monkeypatch.setattr(about, "EXAMPLE_LIST", AnimeList("test", None, tuple(entries)))
    first = recommended(client, listed, new_series=True)[0]
    match, moved = first["match"], first["moved_by"]
    assert moved
    text = page(client, "/about").text.replace("−", "-")
    assert f"{match:.2f} {moved:+.2f} = {match + moved:.2f} : so far" in text
    assert f"{round(first['match_percentile'])} % of them match less" in text


KNOWN = {
    ("franchise", 5.0): "Moved up: it is of a series that you know",
    ("franchise", -5.0): "Moved down: other parts of its series come first, or meant less to you",
    ("score", 5.0): "Moved up for the score that you would give it",
    ("fit", 5.0): "Moved up: its genres, themes and makers suit your list",
    ("fit", -5.0): "Moved down: its genres, themes and makers suit your list less",
    ("length", -5.0): "Moved down for its kind and length",
    ("age", 5.0): "Moved up for the year that it is from",
    ("popularity", -5.0): "Moved down, going by how many know it",
}


@pytest.fixture
def item(client: FlaskClient) -> RecommendationSchema:
    """One that follows nothing."""
    found = next(each for each in recommended(client, SCORED) if not each["follows"])
    return RecommendationSchema(**found)


@pytest.mark.parametrize(("moved", "line"), KNOWN.items())
def test_every_reason_has_its_words(
    item: RecommendationSchema, moved: tuple[str, float], line: str
) -> None:
    item.moved_for, item.moved_by = MovedFor(moved[0]), moved[1]
    assert moved_text(item, knows_series=True) == line
    if item.moved_for is MovedFor.FRANCHISE:
        line = f"{line.split(':')[0]}: it is of no series that you know"
    assert moved_text(item, knows_series=False) == line


def test_every_group_that_is_told_has_words(item: RecommendationSchema) -> None:
    for item.moved_for in MovedFor:
        for item.moved_by in (-5.0, 5.0):
            assert moved_text(item, knows_series=False)
