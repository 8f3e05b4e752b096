"""Host names that are none, and what proxies may write."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import requests

from app import create_app
from app.settings import AppSettings
from app.web.middleware.headers import SECURITY_HEADERS
from tests.web.server import at, running_hakken

NONE = (
    *("a..b", ".", "..", ".a", "a" * 64, f"{'a.' * 200}a", "a b", "a/b", "a@b", "a:", "a:99999"),
    *("a:0x50", "[::1", "[]", "::1", "ä.example", "a\tb", "%00", "a,b", "-" * 64 + ".a", "<a>"),
)


def test_what_is_no_host_name_is_told_so_on_every_route(tiny_model: Path, tmp_path: Path) -> None:
    paths = (
        "/",
        "/user/anilist/Secretive",
        "/api/v1/anime?search=a",
        "/static/app.css",
        "/nowhere",
    )
    with running_hakken(at(tiny_model, tmp_path) | {"WEB_CONCURRENCY": "1"}) as server:
        for host in NONE:
            for path in paths if host in NONE[:5] else paths[:1]:
                with socket.create_connection(("127.0.0.1", server.port), timeout=120) as sent:
                    told = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                    sent.sendall(told.encode("latin-1"))
                    answer = b"".join(iter(lambda s=sent: s.recv(65536), b"")).decode("latin-1")  # type: ignore[misc]
                assert answer.startswith("HTTP/1.1 400"), (host, path, answer[:300])
                if host in NONE[:5]:
                    assert "Content-Security-Policy" in answer
    assert "Secretive" not in server.said
    assert "Traceback" not in server.said


GOOD = ("a", "A.b-c_d.example.", "a.example:8000", "127.0.0.1", "[::1]:80", "xn--bcher-kva.example")


@pytest.mark.parametrize("host", GOOD)
def test_host_names_are_taken_as_they_are(host: str, tiny_model: Path, tmp_path: Path) -> None:
    client = create_app(AppSettings(model=str(tiny_model), cache_dir=tmp_path)).test_client()
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 200
    assert SECURITY_HEADERS.keys() <= set(answer.headers.keys())


def test_who_connects_from_this_machine_is_no_proxy(tiny_model: Path, tmp_path: Path) -> None:
    """gunicorn believes scheme and script name of whoever connects from here, if not told."""
    forged = ("X-Forwarded-Proto: https", "X-Forwarded-Ssl: on", "X-Forwarded-Protocol: ssl")
    forged += ("SCRIPT_NAME: /evil", "Script-Name: /evil", "PATH_INFO: /evil")
    with running_hakken(at(tiny_model, tmp_path) | {"WEB_CONCURRENCY": "1"}) as server:
        answers = [
            requests.get(f"{server.url}/anime/1", headers=dict([each.split(": ")]), timeout=120)
            for each in ("X-Nothing: 1", *forged)
        ]
    for answer in answers:
        assert answer.status_code == answers[0].status_code
        assert "Strict-Transport-Security" not in answer.headers
        assert "/evil" not in answer.text
        assert "https://127.0.0.1" not in answer.text


def test_whatever_a_proxy_writes_is_no_new_client(tiny_model: Path, tmp_path: Path) -> None:
    settings = AppSettings(
        model=str(tiny_model), cache_dir=tmp_path, trusted_proxies=1, rate_pages="3/minute"
    )
    client = create_app(settings).test_client()

    def ask(forwarded: str) -> int:
        return client.get("/about", headers={"X-Forwarded-For": forwarded}).status_code

    assert [ask(f"nobody-{number}") for number in range(5)] == [200, 200, 200, 429, 429]
    assert [ask(each) for each in ("unknown", "_hidden", "999.1.2.3", "a" * 500)] == [429] * 4
    # Those who have an address are told apart by it, with a port behind it or without.
    ported = ("9.9.9.9:1", "9.9.9.9:2", "9.9.9.9", "9.9.9.9:3")
    assert [ask(each) for each in ported] == [200, 200, 200, 429]
    assert [ask(f"[2001:db8::{n}]:{n}") for n in range(1, 5)] == [200, 200, 200, 429]


def test_a_scheme_that_a_proxy_makes_up_is_not_taken(tiny_model: Path, tmp_path: Path) -> None:
    settings = AppSettings(model=str(tiny_model), cache_dir=tmp_path, trusted_proxies=1)
    client = create_app(settings).test_client()
    for scheme in ("javascript", "", "https://evil.example", "ftp"):
        answer = client.get("/", headers={"X-Forwarded-Proto": scheme})
        assert answer.status_code == 200
        assert "javascript:" not in answer.text
