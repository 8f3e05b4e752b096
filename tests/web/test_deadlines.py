"""Clients that are slow on purpose, against a server that has one thread."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from demo.fake_upstream import FakeUpstream
from tests.web.server import PATIENCE, Server, at, running_hakken

JSON = b"POST /api/v1/recommendations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
FORM = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
FILE = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="export"; filename="a.xml"\r\n\r\n<my'
STALLED = {
    "json": JSON + b'Content-Length: 1000\r\n\r\n{"list": [',
    "chunked": JSON + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"li',
    "form": FORM + b"Content-Length: 1000\r\n\r\nlist=",
    "file": FILE + b"Content-Length: 1000\r\n\r\n" + PART,
}


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {
        "WEB_CONCURRENCY": "1",
        "HAKKEN_THREADS": "1",
        "HAKKEN_BODY_DEADLINE": "0.5",
        "HAKKEN_REQUEST_DEADLINE": "6",  # in which this machine makes an answer, however busy
    }
    cache = tmp_path_factory.mktemp("cache")
    with FakeUpstream() as upstream:
        environment |= upstream.environment()
        with running_hakken(at(tiny_model, cache) | environment) as started:
            yield started


def send(server: Server, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    connection.sendall(data)
    return connection


def answer(connection: socket.socket) -> bytes:
    with connection:
        found = b""
        while piece := connection.recv(65_536):
            found += piece
        return found


@pytest.mark.parametrize("data", STALLED.values(), ids=STALLED)
def test_a_body_that_stalls_is_answered_and_lets_go(server: Server, data: bytes) -> None:
    stalled = send(server, data)
    # The one thread is free again for somebody else.
    assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200
    found = answer(stalled)
    assert found.startswith(b"HTTP/1.1 408 ")
    assert b"request-cut-short" in found or b"This did not arrive whole" in found


def test_a_body_that_drips_is_answered_all_the_same(server: Server) -> None:
    dripping = send(server, JSON + b"Content-Length: 1000000\r\n\r\n")
    dripping.settimeout(0.05)
    found, left = None, time.monotonic() + PATIENCE
    while found is None and time.monotonic() < left:
        with suppress(ConnectionError):  # answered and closed: the answer can be read all the same
            dripping.sendall(b" ")
        with suppress(TimeoutError):
            found = dripping.recv(20)
    dripping.close()
    assert found is not None
    assert found.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("data", [b"GET /about HTTP/1.1\r\nHost: a\r\nX-Slow", b"G"])
def test_headers_that_stall_let_go(server: Server, data: bytes) -> None:
    stalled = send(server, data)
    assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200
    assert answer(stalled) == b""


def test_a_request_that_takes_too_long_is_cut_off(server: Server) -> None:
    query = {"source": "anilist", "username": "SlowFan"}
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/api/v1/recommendations", query, timeout=PATIENCE)


def test_a_client_that_left_is_not_a_bug(server: Server) -> None:
    for kind in ("json", "file"):
        send(server, STALLED[kind]).close()
    assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200
    assert "ERROR" not in server.said
