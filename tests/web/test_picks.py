from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from app.web.requests.pick_list import format_picks, parse_picks
from tests.tiny_model import FLAGGED, title_of
from tests.web.fans import IDS, SCORED
from tests.web.html_page import Element, read_html

PICKS = ".".join(f"{anime_id}-{10 - place % 5}" for place, anime_id in enumerate(SCORED))


def page(client: FlaskClient, address: str) -> Element:
    response = client.get(address)
    assert response.status_code == 200, response.text
    return read_html(response.text)


def test_from_a_search_to_a_recommendation(client: FlaskClient) -> None:
    found = page(client, f"/pick?q=anime+no+{IDS[10]}")
    form = next(
        form
        for form in found.all("form", class_="scoring")
        if form.one("input", name="add").attributes["value"] == str(IDS[10])
    )
    assert form.attributes["method"] == "get"
    added = client.get(f"{form.attributes['action']}?add={IDS[10]}&score=9")
    assert (added.status_code, added.location) == (303, f"/pick?picks={IDS[10]}-9")
    more = client.get(f"{added.location}&add={IDS[11]}&score=0")
    assert more.location == f"/pick?picks={IDS[10]}-9.{IDS[11]}-0"
    picked = page(client, more.location)
    assert picked.one("h2", id="picked-title").text == "Your picks (2)"
    chosen = [option.attributes.get("value") for option in picked.all("option", selected="")]
    assert chosen == ["9", "0"]
    (remove, _) = [a for a in picked.all("a") if a.text.startswith("Remove")]
    assert remove.attributes["href"] == f"/pick?picks={IDS[11]}-0"
    ready = next(a for a in picked.all("a") if a.text == "Show what to watch next")
    results = page(client, ready.attributes["href"])
    assert results.one("h1").text == "Picks for your list"
    assert "From 1 scored title on a list of 2" in results.one("p", class_="lead").text


def test_picks_are_recommended_from_like_any_list(client: FlaskClient) -> None:
    by_hand = page(client, f"/picks/{PICKS}?n=10")
    body: dict[str, Any] = {"list": [], "partial": True, "top": 10}
    scores = parse_picks(PICKS)
    body["list"] = [{"anime_id": n, "score": score} for n, score in scores.items()]
    answer = json.loads(client.post("/api/v1/recommendations", json=body).data)
    titles = [heading.text for heading in by_hand.one("ol").all("h2")]
    assert titles == [each["title"] for each in answer["recommendations"]]
    links = {a.text: a.attributes["href"] for a in by_hand.all("a")}
    assert links["Change your picks"] == f"/pick?picks={PICKS}"
    assert links["Predicted score"] == f"/picks/{PICKS}?n=10&order=score"


def test_every_field_has_a_label(client: FlaskClient) -> None:
    found = page(client, f"/pick?picks={IDS[10]}-9&q=anime")
    labels = {label.attributes["for"] for label in found.all("label")}
    fields = [
        field
        for field in found.all("input") + found.all("select")
        if field.attributes.get("type") != "hidden"
    ]
    ids = [field.attributes["id"] for field in fields]
    assert len(set(ids)) == len(ids)
    assert set(ids) == labels


def test_what_is_picked_is_not_offered_again(client: FlaskClient) -> None:
    found = page(client, f"/pick?picks={IDS[10]}-9&q=anime+no+{IDS[10]}")
    offered = found.one("section", **{"aria-labelledby": "found-title"})
    ids = {each.attributes["value"] for each in offered.all("input", name="add")}
    assert ids
    assert str(IDS[10]) not in ids


def test_nothing_found_says_what_to_try(client: FlaskClient) -> None:
    found = page(client, "/pick?q=qqqqqqqq")
    assert "Nothing found for “qqqqqqqq”" in found.text
    assert "Try fewer words" in found.text


def test_a_search_is_text(client: FlaskClient) -> None:
    response = client.get("/pick?q=<script>alert(1)</script>")
    assert "<script>alert" not in response.text
    read_html(response.text)


@pytest.mark.parametrize(
    "address",
    [
        "/pick?picks=1",
        "/pick?picks=1-11",
        "/pick?picks=01-1",
        "/pick?picks=1-1..2-2",
        "/pick?picks=1-٣",
        "/picks/1-x",
        f"/pick?add={IDS[0]}",
        f"/pick?add={IDS[0]}&score=11",
        f"/pick?add={IDS[0]}&score=-1",
        f"/pick?add={IDS[0]}&score=²",
        "/pick?add=999999&score=1",
        "/pick?add=x&score=1",
        "/picks/" + ".".join(f"{n}-1" for n in range(1, 202)),
        "/picks/1-1?n=0",
    ],
)
def test_damaged_addresses_are_refused(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 400


@given(st.dictionaries(st.integers(1, 10**9 - 1), st.integers(0, 10), max_size=30))
def test_an_address_holds_all_picks(picks: dict[int, int]) -> None:
    assert parse_picks(format_picks(picks)) == picks


def test_search_api(client: FlaskClient) -> None:
    response = client.get(f"/api/v1/anime?search=anime no {IDS[10]}&limit=3")
    assert response.status_code == 200
    found = json.loads(response.data)["anime"]
    assert len(found) == 3
    assert found[0]["anime_id"] == IDS[10]
    assert found[0]["title"] == title_of(IDS[10])
    assert found[0]["url"] == f"https://myanimelist.net/anime/{IDS[10]}"


def test_search_leaves_out_what_is_for_adults(client: FlaskClient) -> None:
    response = client.get(f"/api/v1/anime?search=anime no {IDS[FLAGGED]}&limit=50")
    found = json.loads(response.data)["anime"]
    assert found
    assert IDS[FLAGGED] not in [anime["anime_id"] for anime in found]


@pytest.mark.parametrize("query", ["", "search=", "search=a&limit=0", "search=a&x=1"])
def test_search_api_refuses(client: FlaskClient, query: str) -> None:
    response = client.get(f"/api/v1/anime?{query}")
    assert response.status_code == 400
    assert json.loads(response.data)["type"] == "/problems/bad-query"
