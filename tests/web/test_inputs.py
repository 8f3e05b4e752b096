"""Whatever a stranger sends to the form and to the API is answered, and never with a bug."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from typing import Any

from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.web.requests.query import QueryOptions
from tests.web.fans import IDS, SCORED, regular_export

API = "/api/v1/recommendations"
EXPORT = regular_export()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [*QueryOptions.model_fields, "n", "apply", "choice", "format", "list", "export"]
)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["1", "0", "-1", "1e3", "٣", "5:8", "5:8:9", ",,,", "n=20&order=score", "format=csv", "true"]
)


def answered(status: int) -> None:
    assert status < 500, status


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
@example({"seen": [5]})
@example({"seen": [[[], 5]]})
@example({"seen": [{"a": 1}]})
@example({"hide": [None]})
@example({"year_from": 1e308})
@example({"top": -0.0})
def test_any_option_in_a_body_is_read_or_refused(app: Flask, body: dict[str, Any]) -> None:
    rows = [{"anime_id": n, "score": 8} for n in SCORED[:2]]
    data = json.dumps({"list": rows, **body})
    response = app.test_client().post(API, data=data, content_type="application/json")
    answered(response.status_code)
    if response.status_code == 422:
        found = response.get_json()
        assert found["type"] == "/problems/bad-body"
        assert found["detail"].startswith(f"{found['errors'][0]['path']}: ")


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(["application/json", "application/problem+json", "text/plain", "a/b;c", ""]),
)
def test_any_bytes_to_the_api_are_answered(app: Flask, data: bytes, kind: str) -> None:
    response = app.test_client().post(API, data=data, content_type=kind)
    assert response.status_code in {400, 415, 422}
    assert response.mimetype == "application/problem+json"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(NAMES, TEXTS), max_size=6))
@example([("seen", "9" * 5000)])
@example([("hide", "9999999999")])
@example([("genre", "\x00")])
@example([("year_from", "²")])
def test_any_query_of_a_page_is_answered(app: Flask, query: list[tuple[str, str]]) -> None:
    for address in ("/example", f"/picks/{IDS[12]}-9"):
        answered(app.test_client().get(address, query_string=query).status_code)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(NAMES.filter(lambda name: name != "export"), TEXTS), max_size=5),
    st.binary(max_size=60) | st.sampled_from([EXPORT, gzip.compress(EXPORT), EXPORT[:200]]),
    st.text(max_size=8),
)
def test_any_upload_is_answered(
    app: Flask, fields: list[tuple[str, str]], data: bytes, name: str
) -> None:
    form: dict[str, Any] = {}
    for key, value in fields:
        form.setdefault(key, []).append(value)
    form["export"] = (BytesIO(data), name)
    answered(app.test_client().post("/upload", data=form).status_code)


CARRIED = st.fixed_dictionaries(
    {"rows": st.lists(st.lists(VALUES, max_size=4) | VALUES, max_size=4) | VALUES},
    optional={"name": VALUES, "unmapped": VALUES, "more": VALUES},
)


@settings(max_examples=100, deadline=None)
@given(CARRIED.map(json.dumps) | st.text(max_size=30))
def test_any_list_that_comes_back_is_answered(app: Flask, carried: str) -> None:
    status = app.test_client().post("/upload", data={"list": carried}).status_code
    assert status in {200, 400}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["x", "", '"', "x" * 80]))
def test_any_body_of_a_form_is_answered(app: Flask, data: bytes, boundary: str) -> None:
    kind = f"multipart/form-data; boundary={boundary}"
    answered(app.test_client().post("/upload", data=data, content_type=kind).status_code)
