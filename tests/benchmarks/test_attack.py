"""The attack runs against a real server, and sees what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.attack import Attack, draw, judge, log_findings, main

OURS = b"X-Request-ID: a\r\nContent-Security-Policy: x\r\n\r\n"


def test_nothing_is_found_within_two_seconds(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--seconds", "2", "--model", str(tiny_model)])
    *kinds, memory = capsys.readouterr().out.splitlines()
    assert len(kinds) == 6
    assert "200 × " in "".join(kinds)
    assert memory.startswith("a worker holds ")


def test_one_request_can_be_had_again() -> None:
    assert draw(3, 77) == draw(3, 77)
    assert draw(3, 77) != draw(4, 77)


@pytest.mark.parametrize(
    ("answer", "seconds", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n" + OURS, 1, None),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 504 X\r\n" + OURS, 1, None),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 1, None),
        (b"HTTP/1.1 500 X\r\n" + OURS, 1, "a 500"),
        (b"HTTP/1.1 200 OK\r\nX-Request-ID: a\r\n\r\n", 1, "no Content-Security-Policy"),
        (b"HTTP/1.1 302 Found\r\n\r\n", 1, "not ours"),
        (b"HTTP/1.1 302 Found\r\nLocation: //evil.example/\r\n" + OURS, 1, "headers of the"),
        (b"HTTP/1.1 200 OK\r\n" + OURS + b"<script>alert(1)", 1, "a script"),
        (b"HTTP/1.1 200 OK\r\n" + OURS + b'<a href="JavaScript:a">', 1, "a script"),
        (b"HTTP/1.1 200 OK\r\n" + OURS + b'<input value="javascript:a">', 1, None),
        (b"HTTP/1.1 200 OK\r\n" + OURS, 20, "20 s"),
        (b"", 1, "no answer"),
    ],
)
def test_what_must_not_be_is_a_finding(answer: bytes, seconds: float, said: str | None) -> None:
    found = judge(Attack("any", b"GET /"), answer, seconds)[1]
    assert (found is None) if said is None else said in str(found)


def test_lines_that_are_none_of_ours_are_findings() -> None:
    good = "2026-01-01 00:00:00,000 INFO app.web [a-b]: said\n\tindented\n"
    assert log_findings(good) == []
    assert len(log_findings(f"{good}forged\nTraceback (most recent call last):\n")) == 2
