"""Grid or list, a pick by chance, and the picks without one title: each is an address."""

from __future__ import annotations

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.recommender import UserList
from app.recommender.watch_status import WatchStatus
from app.web.requests.query import QueryOptions, ResultsOptions, parse_page_query, to_page_query
from app.web.services.recommendations import SURPRISES, build_user_profile
from app.web.state import get_library
from tests.web.fans import IDS, SCORED
from tests.web.html_page import Element, read_html

FAN = "/user/anilist/Regular"


def page(client: FlaskClient, address: str) -> Element:
    response = client.get(address)
    assert response.status_code == 200, response.text
    return read_html(response.text)


def cards(shown: Element) -> list[int]:
    (ranked,) = shown.all("ol", class_="cards")
    return [int(each.attributes["data-anime"]) for each in ranked.all("li", class_="card")]


def link(shown: Element, label: str) -> str:
    return next(a.attributes["href"] for a in shown.all("a", class_="choice") if a.text == label)


def test_a_list_shows_the_same_and_keeps_its_look(client: FlaskClient) -> None:
    grid = page(client, f"{FAN}?n=40")
    assert not grid.all("ol", class_="list")
    listed = page(client, link(grid, "List"))
    assert listed.one("ol", class_="list")
    assert cards(listed) == cards(grid)
    assert len(cards(grid)) > 20
    for label in ("Hidden gems", "English titles"):
        assert "view=list" in link(listed, label)
    (form,) = (each for each in listed.all("form") if each.attributes.get("id") == "again")
    assert form.one("input", name="view").attributes["value"] == "list"
    assert "view" not in link(listed, "Grid")


@pytest.mark.parametrize("query", ["view=rows", "surprise=0", "surprise=x", "ignore=a"])
def test_what_is_no_option_is_told(client: FlaskClient, query: str) -> None:
    assert client.get(f"{FAN}?{query}").status_code == 400


def test_a_look_is_no_filter_and_keeps_the_shelves(client: FlaskClient) -> None:
    assert page(client, f"{FAN}?view=list").all("section", class_="shelf")
    assert (
        client.get("/api/v1/recommendations?source=anilist&username=Regular&view=list").status_code
        == 400
    )


def test_a_surprise_is_a_good_match_and_the_same_for_a_seed(client: FlaskClient) -> None:
    best = cards(page(client, f"{FAN}?n={SURPRISES}"))
    start = page(client, FAN)
    address, drawn = link(start, "Surprise me"), []
    for _ in range(6):
        shown = page(client, address)
        (anime_id,) = cards(shown)
        assert cards(page(client, address)) == [anime_id]
        drawn.append(anime_id)
        address = link(shown, "Another surprise")
    assert set(drawn) <= set(best)
    assert len(set(drawn)) == 6, "no title twice while others are left"
    assert cards(page(client, link(shown, "All picks"))) == cards(start)


def test_a_surprise_goes_through_the_filters(client: FlaskClient) -> None:
    films = cards(page(client, f"{FAN}?type=movie&n={SURPRISES}"))
    assert films
    for seed in range(1, 6):
        (anime_id,) = cards(page(client, f"{FAN}?type=movie&surprise={seed}"))
        assert anime_id in films


def test_what_is_ignored_says_nothing_and_is_not_recommended(app: Flask) -> None:
    entries = [(n, 10.0 - place % 5, WatchStatus.COMPLETED) for place, n in enumerate(SCORED)]
    ignored = SCORED[:2]
    with app.app_context():
        library = get_library()
        whole = UserList.from_entries(entries)
        got = build_user_profile(library, whole, QueryOptions(ignore=tuple(ignored)))
        rest = UserList.from_entries([each for each in entries if each[0] not in ignored])
        expected = build_user_profile(library, rest, QueryOptions())
        every = build_user_profile(library, whole, QueryOptions())
    assert got.user_bias == expected.user_bias
    for name in ("rated", "score", "residual", "input_position", "input_weight"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    np.testing.assert_array_equal(got.seen, every.seen)


def test_a_reason_leads_to_the_picks_without_it(client: FlaskClient) -> None:
    start = page(client, f"{FAN}?n=40")
    (first, *_) = start.all("p", class_="apart")
    reason = first.all("a")[0]
    without = page(client, reason.attributes["href"])
    gone = int(reason.attributes["href"].partition("ignore=")[2])
    assert gone in IDS
    assert gone not in cards(without)
    assert not any(f"ignore={gone}%2C{gone}" in a.attributes["href"] for a in without.all("a"))
    (chip,) = (a for a in without.all("a") if a.text.startswith("Without your"))
    assert cards(page(client, chip.attributes["href"])) == cards(start)
    answer = client.get(
        f"/api/v1/recommendations?source=anilist&username=Regular&ignore={gone}&top=40"
    ).json
    assert answer is not None
    assert [each["anime_id"] for each in answer["recommendations"]] == cards(without)
    reasons = [r["anime_id"] for each in answer["recommendations"] for r in each["because"]]
    assert gone not in reasons


def test_the_address_of_a_page_says_all_its_options() -> None:
    options = ResultsOptions(view="list", surprise=7, ignore=(5, 9))
    query = to_page_query(options)
    assert query == {"view": "list", "surprise": "7", "ignore": "5,9"}
    assert parse_page_query(query, ResultsOptions) == options
