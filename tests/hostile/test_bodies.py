"""Bodies that mean harm: much work for whoever reads them before asking how long they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest
import requests

from app.lists.errors import ListTooLong
from app.web.middleware.request_body import MAX_BODY_BYTES
from app.web.requests.body import MAX_REPORTED_ERRORS, InvalidBody, MalformedJson, parse_body
from tests.web.server import Server

MAX_ENTRIES = 20_000


def repeated(before: bytes, piece: bytes, after: bytes) -> bytes:
    """As many pieces as fit into a body, with commas between them."""
    times = (MAX_BODY_BYTES - len(before) - len(after) - 1) // (len(piece) + 1)
    return before + b",".join([piece] * times) + after


def numbered(before: bytes, piece: bytes, after: bytes, times: int) -> bytes:
    return before + b",".join(piece % number for number in range(times)) + after


BODIES: dict[str, Callable[[], bytes]] = {
    "ones for entries": partial(repeated, b'{"list":[', b"1", b"]}"),
    "objects without anything": partial(repeated, b'{"list":[', b"{}", b"]}"),
    "lists in the list": partial(repeated, b'{"list":[', b"[[[]]]", b"]}"),
    "hidden that are none": partial(repeated, b'{"list":[],"hide":[', b"{}", b"]}"),
    "hidden without end": partial(repeated, b'{"list":[],"hide":[', b"7", b"]}"),
    "genres that are none": partial(repeated, b'{"list":[],"without":[', b"1", b"]}"),
    "genres without end": partial(repeated, b'{"list":[],"without":[', b'"a"', b"]}"),
    "types that are none": partial(repeated, b'{"list":[],"type":[', b"1", b"]}"),
    "marks without end": partial(repeated, b'{"list":[],"seen":[', b"[1,1]", b"]}"),
    "keys that nobody knows": partial(numbered, b'{"list":[],', b'"a%d":1', b"}", 300_000),
    "entries of unknown keys": partial(numbered, b'{"list":[{', b'"a%d":1', b"}]}", 300_000),
    "faults within the bounds": lambda: repeated(b'{"list":[', b"1", b"")[: 2 * 80_000] + b"1]}",
    "nesting": lambda: b'{"list":' + b"[" * (MAX_BODY_BYTES - 10),
    "a number of millions of digits": lambda: b'{"list":[{"anime_id":' + b"9" * 4_000_000 + b"}]}",
    "a word of millions of letters": lambda: b'{"list":[],"order":"' + b"a" * 4_000_000 + b'"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_faults_is_refused_within_little_memory(name: str, narrow_server: Server) -> None:
    answer = requests.post(
        f"{narrow_server.url}/api/v1/recommendations",
        BODIES[name](),
        headers={"Content-Type": "application/json"},
        timeout=120,
    )
    assert answer.status_code in {400, 413, 422}, answer.text[:300]
    assert len(answer.json().get("errors", [])) <= MAX_REPORTED_ERRORS
    assert len(answer.content) < 4_000


def test_forms_are_bounded_as_json_is(narrow_server: Server) -> None:
    url = f"{narrow_server.url}/upload"
    words = ",".join(f"w{number}" for number in range(500_000))
    rows = repeated(b'{"rows":[', b"[1]", b"]}").decode()
    many_fields = b"&".join(b"type=%d" % number for number in range(300_000))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    little = '{"rows":[[1,8,2]]}'
    for status, sent in {
        400: {"data": {"type": words, "list": little}, "files": {"x": b""}},
        413: {"data": many_fields, "headers": form},
    }.items():
        assert requests.post(url, **sent, timeout=120).status_code == status
    for fields in ({"list": rows}, {"list": little, "choice": "a=b&" * 100_000}):
        answer = requests.post(url, fields, files={"x": b""}, timeout=120)
        assert answer.status_code == 400
    assert requests.post(url, {"list": '{"rows":[[1,8,2]]}'}, timeout=120).status_code == 200


def test_a_full_list_with_all_options_is_within_the_bounds() -> None:
    entries = [{"anime_id": n, "score": 7.5, "status": "completed"} for n in range(1, 20_001)]
    marks = [[number, 8] for number in range(1, 201)]
    body = {"list": entries, "seen": marks, "hide": list(range(1, 201)), "genre": ["drama"] * 20}
    assert len(parse_body(json.dumps(body).encode(), MAX_ENTRIES).entries) == MAX_ENTRIES
    for indent in (None, 2):
        longer = json.dumps({"list": [*entries, entries[0]]}, indent=indent).encode()
        with pytest.raises(ListTooLong):
            parse_body(longer, MAX_ENTRIES)


def test_of_thousands_of_faults_the_first_are_named() -> None:
    wrong = [{"anime_id": n, "status": "wathcing"} for n in range(1, 5_001)]
    with pytest.raises(InvalidBody) as caught:
        parse_body(json.dumps({"list": wrong, "zzz": 1}).encode(), MAX_ENTRIES)
    paths = [error.path for error in caught.value.field_errors]
    assert paths == [f"list[{number}].status" for number in range(MAX_REPORTED_ERRORS)]
    right = [{"anime_id": n} for n in range(1, 101)]
    with pytest.raises(InvalidBody, match="more than 1,000 faults"):
        parse_body(json.dumps({"list": [*right, *wrong]}).encode(), MAX_ENTRIES)
    with pytest.raises(MalformedJson):
        parse_body(b'{"list":[1,', MAX_ENTRIES)
