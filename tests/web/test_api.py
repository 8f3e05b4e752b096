from __future__ import annotations

import json
from contextlib import suppress
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.web.middleware.request_body import MAX_BODY_BYTES
from app.web.requests.body import InvalidBody, MalformedJson, parse_body
from tests.lists import scenarios
from tests.tiny_model import ANILIST_OFFSET, EXPLICIT, FLAGGED
from tests.web.fans import IDS, PLANNED, SCORED, UNKNOWN

ADDRESS = "/api/v1/recommendations"
LIST = [{"anime_id": n, "score": 10 - place % 5} for place, n in enumerate(SCORED)]


def post(client: FlaskClient, body: object) -> TestResponse:
    return client.post(ADDRESS, data=json.dumps(body), content_type="application/json")


def problem(response: TestResponse, status: int, slug: str) -> dict[str, Any]:
    assert response.mimetype == "application/problem+json"
    assert response.status_code == status, response.text
    body = json.loads(response.data)
    assert isinstance(body, dict)
    assert body["status"] == status
    assert body["type"] == f"/problems/{slug}"
    assert body["title"]
    assert body["detail"]
    return body


def test_a_list_is_answered(client: FlaskClient) -> None:
    response = post(client, {"list": LIST, "top": 5})
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    body = response.json
    assert body is not None
    assert list(body) == [
        "model",
        "engine",
        "order",
        "explained",
        "personal",
        "list",
        "recommendations",
    ]
    assert body["personal"] is True
    assert body["list"] == {"known": 12, "rated": 12, "unknown": 0}
    assert [item["rank"] for item in body["recommendations"]] == [1, 2, 3, 4, 5]
    first = body["recommendations"][0]
    told = sum(reason["weight"] for reason in first["because"])
    assert body["explained"] == "match"
    assert told + first["rest"] == pytest.approx(first["match"], abs=2e-4)
    by_score = post(client, {"list": LIST, "top": 5, "order": "score"}).json
    assert by_score is not None
    assert by_score["explained"] == "predicted_score"
    first = by_score["recommendations"][0]
    told = sum(reason["weight"] for reason in first["because"])
    assert told + first["rest"] == pytest.approx(first["predicted_score"], abs=2e-4)


def test_a_user_is_answered_with_the_same_picks(client: FlaskClient) -> None:
    response = client.get(f"{ADDRESS}?source=anilist&username=regular&top=5&order=score")
    assert response.status_code == 200
    body = response.json
    assert body is not None
    assert (body["source"], body["username"]) == ("anilist", "Regular")
    counted = {"known": 14, "rated": 12, "unknown": len(UNKNOWN), "unmapped": 1}
    assert body["list"] == {**counted, "channel": "api"}
    planned = [{"anime_id": n, "status": "plan_to_watch"} for n in PLANNED]
    posted = post(client, {"list": LIST + planned, "top": 5, "order": "score"}).json
    assert posted is not None
    for each in body["recommendations"]:
        assert each["url"] == f"https://anilist.co/anime/{each['anilist_id']}"
        each["url"] = each["mal_url"]
    assert body["recommendations"] == posted["recommendations"]


def test_defaults_and_forms_of_a_value_mean_the_same(client: FlaskClient) -> None:
    short = post(client, {"list": LIST})
    spelt = [{**row, "status": "completed"} for row in LIST]
    options = {"top": 20, "order": "match", "adult": False}
    assert post(client, {"list": spelt, **options}).data == short.data
    for code in (2, 2.0):
        coded = [{**row, "status": code} for row in LIST]
        assert post(client, {"list": coded}).data == short.data
    nothing = post(client, {"list": [{"anime_id": SCORED[0]}]}).data
    for score in (None, 0, 0.0):
        assert post(client, {"list": [{"anime_id": SCORED[0], "score": score}]}).data == nothing


def test_adult_titles_only_when_asked_for(client: FlaskClient) -> None:
    adult = {IDS[FLAGGED], IDS[EXPLICIT]}

    def shown(**options: bool) -> set[int]:
        body = post(client, {"list": [], "top": 100, **options}).json
        assert body is not None
        return {item["anime_id"] for item in body["recommendations"]}

    assert not adult & shown()
    assert adult <= shown(adult=True)
    assert shown(adult=True) - adult == shown()


def test_an_empty_user_list_gets_popular_picks(client: FlaskClient) -> None:
    response = client.get(f"{ADDRESS}?source=anilist&username={scenarios.EMPTY_USER}")
    assert response.status_code == 200
    body = response.json
    assert body is not None
    assert body["personal"] is False
    assert body["recommendations"]


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({}, "list[0].anime_id"),
        ({"anime_id": 0}, "list[0].anime_id"),
        ({"anime_id": -1}, "list[0].anime_id"),
        ({"anime_id": 2**31}, "list[0].anime_id"),
        ({"anime_id": "1"}, "list[0].anime_id"),
        ({"anime_id": True}, "list[0].anime_id"),
        ({"anime_id": 1.5}, "list[0].anime_id"),
        ({"anime_id": 1, "score": 11}, "list[0].score"),
        ({"anime_id": 1, "score": 0.5}, "list[0].score"),
        ({"anime_id": 1, "score": -1}, "list[0].score"),
        ({"anime_id": 1, "score": "9"}, "list[0].score"),
        ({"anime_id": 1, "score": True}, "list[0].score"),
        ({"anime_id": 1, "score": False}, "list[0].score"),
        ({"anime_id": 1, "score": float("nan")}, "list[0].score"),
        ({"anime_id": 1, "score": float("inf")}, "list[0].score"),
        ({"anime_id": 1, "status": "finished"}, "list[0].status"),
        ({"anime_id": 1, "status": 5}, "list[0].status"),
        ({"anime_id": 1, "status": 2.5}, "list[0].status"),
        ({"anime_id": 1, "status": True}, "list[0].status"),
        ({"anime_id": 1, "status": None}, "list[0].status"),
        ({"anime_id": 1, "Score": 9}, "list[0].Score"),
        (1, "list[0]"),
        (None, "list[0]"),
    ],
)
def test_a_wrong_entry_is_named(client: FlaskClient, row: object, path: str) -> None:
    body = problem(post(client, {"list": [row]}), 422, "bad-body")
    assert path in [fault["path"] for fault in body["errors"]]
    assert path in body["detail"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "list"),
        ({"list": {}}, "list"),
        ({"list": None}, "list"),
        ({"list": [], "top": 0}, "top"),
        ({"list": [], "top": 101}, "top"),
        ({"list": [], "top": "5"}, "top"),
        ({"list": [], "top": 1.5}, "top"),
        ({"list": [], "order": "best"}, "order"),
        ({"list": [], "adult": 1}, "adult"),
        ({"list": [], "limit": 5}, "limit"),
        ({"list": [], "entries": []}, "entries"),
        ([], ""),
        (None, ""),
        ("list", ""),
    ],
)
def test_a_wrong_body_is_named(client: FlaskClient, body: object, path: str) -> None:
    found = problem(post(client, body), 422, "bad-body")
    assert [fault["path"] for fault in found["errors"]] == [path]


@pytest.mark.parametrize("data", [b"", b"{", b'{"list": [}', b"\xff", b'{"list": []} x'])
def test_what_is_not_json_is_said_to_be_so(client: FlaskClient, data: bytes) -> None:
    response = client.post(ADDRESS, data=data, content_type="application/json")
    problem(response, 400, "bad-json")


def test_the_header_must_say_json(client: FlaskClient) -> None:
    problem(client.post(ADDRESS, data=b'{"list": []}'), 415, "unsupported-media-type")


def test_too_many_entries(client: FlaskClient) -> None:
    rows = [{"anime_id": n} for n in range(1, 20_002)]
    assert post(client, {"list": rows[:-1]}).status_code == 200
    problem(post(client, {"list": rows}), 413, "list-too-long")


def test_too_many_bytes(client: FlaskClient) -> None:
    data = b'{"list": []' + b" " * MAX_BODY_BYTES + b"}"
    response = client.post(ADDRESS, data=data, content_type="application/json")
    problem(response, 413, "too-large")


def test_too_many_bytes_of_unknown_length(client: FlaskClient) -> None:
    response = client.post(
        ADDRESS,
        input_stream=BytesIO(b'{"list": []}' + b" " * MAX_BODY_BYTES),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    problem(response, 413, "too-large")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("username=a", "source"),
        ("source=anilist", "username"),
        ("source=nowhere&username=a", "source"),
        ("source=anilist&username=a&top=0", "top"),
        ("source=anilist&username=a&top=many", "top"),
        ("source=anilist&username=a&order=best", "order"),
        ("source=anilist&username=a&adult=maybe", "adult"),
        ("source=anilist&username=a&n=5", "n"),
    ],
)
def test_a_wrong_query_is_named(client: FlaskClient, query: str, name: str) -> None:
    body = problem(client.get(f"{ADDRESS}?{query}"), 400, "bad-query")
    assert [fault["path"] for fault in body["errors"]] == [name]
    assert f"“{name}”" in body["detail"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["list", "top", "order", "adult", "anime_id", "score", "status"])
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
_ROWS = st.fixed_dictionaries(
    {"anime_id": st.sampled_from(IDS) | st.integers(1, 2**31 - 1)},
    optional={
        "score": st.none() | st.just(0) | st.integers(1, 10) | st.floats(1, 10),
        "status": st.sampled_from(["watching", "completed", "on_hold", "dropped", "plan_to_watch"])
        | st.sampled_from([0, 1, 2, 3, 4, 6]),
    },
)


@given(_JSON)
def test_any_json_is_read_or_refused(body: object) -> None:
    with suppress(InvalidBody, MalformedJson):
        parse_body(json.dumps(body).encode(), 20_000)


@settings(max_examples=60)
@given(rows=st.lists(_ROWS, max_size=30), top=st.integers(1, 100))
def test_any_list_gets_new_titles_in_order(
    app: Flask, rows: list[dict[str, Any]], top: int
) -> None:
    response = post(app.test_client(), {"list": rows, "top": top, "order": "score"})
    assert response.status_code == 200
    body = response.json
    assert body is not None
    shown = [item["anime_id"] for item in body["recommendations"]]
    assert len(shown) == len(set(shown)) <= top
    assert not set(shown) & {row["anime_id"] for row in rows}
    assert all(1 <= item["predicted_score"] <= 10 for item in body["recommendations"])
    scores = [item["predicted_score"] for item in body["recommendations"]]
    # Sorted within what rests on enough, what has ratings enough, and the rest.
    assert sum(a < b for a, b in pairwise(scores)) <= 2


def test_pages_of_recommendations_fit_together(client: FlaskClient) -> None:
    rows = [{"anime_id": n, "score": 10 - place % 5} for place, n in enumerate(SCORED)]

    def ask(**options: Any) -> list[dict[str, Any]]:
        body = client.post("/api/v1/recommendations", json={"list": rows, **options}).json
        assert body is not None
        found: list[dict[str, Any]] = body["recommendations"]
        return found

    for order in ("match", "score", "discover"):
        whole = ask(top=20, order=order)
        parts = [each for at in (0, 7, 14) for each in ask(top=7, offset=at, order=order)]
        assert parts[:20] == whole
    assert ask(offset=10_000) == []


def test_ids_and_addresses_on_every_site(client: FlaskClient) -> None:
    query = {"source": "anilist", "username": "Regular", "top": 5}
    body = client.get("/api/v1/recommendations", query_string=query).json
    assert body is not None
    for each in body["recommendations"]:
        assert each["anilist_id"] == each["anime_id"] + ANILIST_OFFSET
        assert each["url"] == f"https://anilist.co/anime/{each['anilist_id']}"
        assert each["mal_url"] == f"https://myanimelist.net/anime/{each['anime_id']}"
    rows = client.get("/user/anilist/Regular?n=5&format=csv").text
    assert rows.count("https://anilist.co/anime/") == 5
    own = client.post("/api/v1/recommendations", json={"list": [], "top": 1}).json
    assert own is not None
    (first,) = own["recommendations"]
    assert first["url"] == first["mal_url"]
