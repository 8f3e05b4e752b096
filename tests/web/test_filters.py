"""Every filter, on the page and in the API, against the facts of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.services.filters import POPULAR_SHARES, popular_count, popularity_label
from app.web.state import AppState
from demo.fake_upstream import FakeUpstream
from tests.lists.scenarios import entry
from tests.tiny_model import tiny_catalogue
from tests.web.fans import IDS, PLANNED, SCORED
from tests.web.html_page import read_html
from tests.web.test_pages import page, shown_ids

USER = "/user/anilist/Regular?n=100"
API = "/api/v1/recommendations?source=anilist&username=Regular&top=100"
FACTS = {row["anime_id"]: row for row in tiny_catalogue().to_dicts()}


def recommended(client: FlaskClient, query: str) -> list[dict[str, Any]]:
    body = client.get(f"{API}&{query}").json
    assert body is not None
    found: list[dict[str, Any]] = body["recommendations"]
    return found


def ids(client: FlaskClient, query: str) -> set[int]:
    return {item["anime_id"] for item in recommended(client, query)}


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("type=movie", lambda a: a["type"] == "MOVIE"),
        ("type=tv,ova", lambda a: a["type"] in ("TV", "OVA")),
        ("genre=sci-fi", lambda a: "Sci-Fi" in a["genres"]),
        ("genre=Comedy,romance", lambda a: a["genres"] == "Comedy;Romance"),
        ("without=drama,thriller", lambda a: not {"Drama", "Thriller"} & {*a["genres"].split(";")}),
        ("year_from=2000", lambda a: a["year"] >= 2000),
        ("year_from=1990&year_to=2005", lambda a: 1990 <= a["year"] <= 2005),
        ("max_episodes=20", lambda a: a["episodes"] <= 20),
        ("min_episodes=41&max_episodes=41", lambda a: a["episodes"] == 41),
    ],
)
def test_a_filter_leaves_what_it_says(
    client: FlaskClient, query: str, passes: Callable[[dict[str, Any]], bool]
) -> None:
    everything = ids(client, "")
    left = {n for n in everything if passes({**FACTS[n], **_known(n)})}
    assert 0 < len(left) < len(everything)
    assert ids(client, query) == left
    assert set(shown_ids(page(client, f"{USER}&{query}"))) == left


def _known(anime_id: int) -> dict[str, Any]:
    """An anime of which nothing is known passes no filter that looks for something."""
    facts = FACTS[anime_id]
    return {
        "year": facts["year"] or -1,
        "episodes": facts["episodes"] or 10**6,
        "genres": facts["genres"] or "",
    }


def test_the_slider_cuts_by_how_many_lists_an_anime_is_on(app: Flask, client: FlaskClient) -> None:
    held: AppState = app.extensions["hakken"]
    assert held.library is not None
    model = held.library.model
    everything = ids(client, "")
    for at in range(1, 6):
        best = set(model.anime_id[model.popularity_order[: popular_count(at, len(model))]].tolist())
        assert ids(client, f"popularity={at}") == everything - best
        best = set(
            model.anime_id[model.popularity_order[: popular_count(-at, len(model))]].tolist()
        )
        assert ids(client, f"popularity={-at}") == everything & best


def test_the_ends_of_the_slider_are_the_strictest() -> None:
    assert [popular_count(at, 10_000) for at in (-5, -1, 0, 1, 5)] == [100, 1500, 0, 100, 1500]
    assert sorted(POPULAR_SHARES) == list(POPULAR_SHARES)
    assert popularity_label(-5, 10_000) == "Only the 100 best known"
    assert popularity_label(5, 10_000) == "Without the 1,500 best known"


def test_plans_are_shown_as_wished(client: FlaskClient) -> None:
    assert not ids(client, "") & set(PLANNED)
    assert ids(client, "planned=yes") == ids(client, "") | set(PLANNED)
    assert ids(client, "planned=only") == set(PLANNED)
    assert "you already plan" not in page(client, f"{USER}&planned=yes").text


def test_what_is_hidden_is_gone_until_undone(client: FlaskClient) -> None:
    before = page(client, USER)
    first = before.one("ol").all("li")[0]
    address = next(a for a in first.all("a") if a.text.startswith("Not for me")).attributes["href"]
    after = page(client, address)
    assert shown_ids(after) == shown_ids(before)[1:]
    undo = after.one("ul", class_="chips").one("a")
    assert undo.text.startswith("Hidden: ")
    assert shown_ids(page(client, undo.attributes["href"])) == shown_ids(before)


def test_what_was_seen_counts_at_once(client: FlaskClient) -> None:
    before = recommended(client, "")
    first = before[0]["anime_id"]
    after = recommended(client, f"seen={first}:10")
    assert first not in {item["anime_id"] for item in after}
    told = {why["anime_id"] for item in after for why in item["because"]}
    assert first in told
    worse = recommended(client, f"seen={first}:1")
    assert [i["match"] for i in after] != [i["match"] for i in worse]


def test_the_form_says_what_is_on_and_leads_to_a_short_address(client: FlaskClient) -> None:
    query = "type=tv&without=drama&year_to=2020&popularity=2&new_series=1&hide=1&order=discover"
    results = page(client, f"{USER}&{query}")
    form = results.one("form", id="again")
    fields: list[tuple[str, str]] = []
    for field in form.all("input"):
        kind, own = field.attributes.get("type"), field.attributes
        if kind != "checkbox" or "checked" in own:
            fields.append((own["name"], own.get("value", "")))
    for select in form.all("select"):
        (chosen,) = [o for o in select.all("option") if "selected" in o.attributes]
        fields.append((select.attributes["name"], chosen.attributes["value"]))
    response = client.get(form.attributes["action"], query_string=fields)
    assert response.status_code == 303
    (path, _, sent) = response.location.partition("?")
    assert path == form.attributes["action"] == "/user/anilist/Regular"
    assert set(sent.split("&")) == {*query.split("&"), "n=100"}


def test_each_filter_can_be_taken_off(client: FlaskClient) -> None:
    results = page(client, f"{USER}&type=tv&genre=drama,comedy&max_episodes=30")
    links = {
        a.text.split(" (")[0]: a.attributes["href"]
        for a in results.all("ul", class_="chips")[0].all("a")
    }
    assert links == {
        "Type: TV": "/user/anilist/Regular?n=100&genre=drama,comedy&max_episodes=30",
        "Drama": "/user/anilist/Regular?n=100&type=tv&genre=comedy&max_episodes=30",
        "Comedy": "/user/anilist/Regular?n=100&type=tv&genre=drama&max_episodes=30",
        "At most 30 episodes": "/user/anilist/Regular?n=100&type=tv&genre=drama,comedy",
    }


def test_when_nothing_is_left_it_says_what_to_relax(client: FlaskClient) -> None:
    query = "type=tv&genre=sci-fi&year_to=1900"
    results = page(client, f"{USER}&{query}")
    assert results.one("h2").text == "Nothing passes all of these filters."
    (relax,) = results.one("section", class_="nothing").all("a")
    count = len(ids(client, "type=tv&genre=sci-fi"))
    assert relax.text.startswith(f"Up to 1900: {count} titles without it")
    assert len(shown_ids(page(client, relax.attributes["href"]))) == count
    body = client.get(f"{API}&{query}").json
    assert body is not None
    assert body["relax"] == [
        {"options": ["year_from", "year_to"], "label": "Up to 1900", "would_show": count}
    ]


def test_when_taking_one_off_is_not_enough_all_can_go(client: FlaskClient) -> None:
    results = page(client, f"{USER}&type=music&year_from=2090&hide={SCORED[0]}")
    (clear,) = results.one("section", class_="nothing").all("a")
    assert clear.attributes["href"] == f"{USER}&hide={SCORED[0]}"


@pytest.mark.parametrize("query", ["genre=cooking", "without=cooking"])
def test_an_unknown_genre_is_named(client: FlaskClient, query: str) -> None:
    response = client.get(f"{USER}&{query}")
    assert response.status_code == 400
    name = query.partition("=")[0]
    told = read_html(response.text).one("p", id="problem").text
    assert told.startswith(f"“{name}” should be genres that Hakken knows, such as ")
    assert client.get(f"{API}&{query}").status_code == 400


def test_a_body_takes_the_same_options(client: FlaskClient) -> None:
    rows = [{"anime_id": n, "score": 8} for n in SCORED]
    body = {"list": rows, "top": 100, "type": ["movie"], "genre": ["Drama"], "seen": ["5:8"]}
    answer = client.post("/api/v1/recommendations", json=body | {"hide": [IDS[0]]})
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    found = answer.json["recommendations"]
    assert found
    assert all(item["type"].upper() == "MOVIE" and "Drama" in item["genres"] for item in found)
    for wrong in ({"type": ["cinema"]}, {"hide": "x"}, {"seen": [[1]]}, {"year_from": "2000"}):
        refused = client.post("/api/v1/recommendations", json={"list": rows, **wrong})
        assert refused.status_code == 422, wrong


def test_what_was_dropped_may_be_no_dislike(client: FlaskClient, anilist: FakeUpstream) -> None:
    dropped = IDS[40:46]
    rows = [entry(n, n, score=9) for n in SCORED[:6]]
    anilist.add_user("Dropper", [*rows, *(entry(n, n, status="DROPPED") for n in dropped)])
    anilist.add_user("Silent", rows)
    query = "/api/v1/recommendations?source=anilist&top=100&username"
    told, ignored, without = (
        client.get(f"{query}={name}").json
        for name in ("Dropper", "Dropper&ignore_dropped=1", "Silent")
    )
    assert told is not None
    assert ignored is not None
    assert without is not None
    scores = [
        {item["anime_id"]: item["predicted_score"] for item in body["recommendations"]}
        for body in (told, ignored, without)
    ]
    assert not scores[1].keys() & set(dropped)
    assert {n: score for n, score in scores[2].items() if n not in dropped} == scores[1]
    assert scores[0] != scores[1]
    shown = page(client, "/user/anilist/Dropper?ignore_dropped=1")
    assert "What you dropped without a score is not taken for a dislike." in shown.text
    (box,) = shown.one("form", id="again").all("input", name="ignore_dropped")
    assert "checked" in box.attributes
    undo = shown.one("ul", class_="chips").one("a")
    assert undo.text.startswith("Dropped is no dislike")
    assert undo.attributes["href"] == "/user/anilist/Dropper"
