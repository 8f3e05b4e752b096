from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.observability import logs
from app.settings import AppSettings

CLIENT_ID = 'a "quoted" \\ client id'
PASSWORD = "p@ss/word"
REDIS = "redis://:p%40ss%2Fword@host:1/0"


@contextmanager
def written(formatter: logging.Formatter) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger, and what it writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log = logging.Logger("test")
    log.addHandler(handler)
    yield log, stream


@pytest.fixture
def hidden() -> tuple[str, ...]:
    return AppSettings(MAL_CLIENT_ID=CLIENT_ID, cache_url=REDIS, metrics_token="t" * 16).secrets


@pytest.mark.parametrize("kind", [logs.TextFormatter, logs.JsonLineFormatter])
def test_no_secret_is_written_not_even_in_a_traceback(
    kind: type[logging.Formatter], hidden: tuple[str, ...]
) -> None:
    with written(kind(hidden)) as (log, stream):  # type: ignore[call-arg]
        log.warning("asked with %s", CLIENT_ID, extra={"header": CLIENT_ID})
        log.warning("%s and %s", REDIS, PASSWORD)
        try:
            int(f"{CLIENT_ID} {'t' * 16} {PASSWORD}")
        except ValueError:
            log.exception("failed")
    text = stream.getvalue()
    for secret in (CLIENT_ID, json.dumps(CLIENT_ID)[1:-1], PASSWORD, "p%40ss", "t" * 16):
        assert secret not in text
    assert text.count(logs.REDACTED) >= 6
    if kind is logs.JsonLineFormatter:
        assert [json.loads(line)["level"] for line in text.splitlines()] == [
            *("WARNING", "WARNING", "ERROR")
        ]


def test_every_line_has_the_request_that_it_belongs_to() -> None:
    token = logs.current_request_id.set("number-1")
    try:
        with written(logs.JsonLineFormatter()) as (log, stream):
            log.info("発見 %d", 1)
            log.info("late", extra={"request_id": "number-2", "status": 200})
        with written(logs.TextFormatter()) as (log, text):
            log.info("said")
    finally:
        logs.current_request_id.reset(token)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["message"], first["request_id"]) == ("発見 1", "number-1")
    assert first["time"].endswith("+00:00")
    assert (second["request_id"], second["status"]) == ("number-2", 200)
    assert text.getvalue().endswith(" INFO test [number-1]: said\n")


def fail(message: str) -> None:
    raise ValueError(message)


def test_nothing_that_is_said_looks_like_a_line_of_its_own() -> None:
    forged = "2026-01-01 00:00:00,000 ERROR app: forged"
    with written(logs.TextFormatter()) as (log, stream):
        for between in ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"):
            log.warning("a name: %s", f"x{between}{forged}\x1b[2K\x00")
        try:
            fail(f"of somebody's\n{forged}")
        except ValueError:
            log.exception("failed")
    text = stream.getvalue()
    assert text.count(forged) == 10
    lines = text.splitlines()
    assert sum(line.startswith("2") for line in lines) == 10
    assert all(line.startswith(("2", "\t")) for line in lines)
    assert not any(ord(letter) < 32 for line in lines for letter in line.lstrip("\t"))


def test_between_requests_there_is_no_number() -> None:
    with written(logs.JsonLineFormatter()) as (log, stream):
        log.info("said")
    assert "request_id" not in json.loads(stream.getvalue())
    with written(logs.TextFormatter()) as (log, stream):
        log.info("said")
    assert stream.getvalue().endswith(" INFO test: said\n")


def test_what_must_not_be_seen_is_known_in_every_spelling() -> None:
    assert AppSettings(cache_url="redis://:p%40ss@host/0").secrets == (
        "redis://:p%40ss@host/0",
        "p%40ss",
        "p@ss",
    )
    assert AppSettings().secrets == ()
