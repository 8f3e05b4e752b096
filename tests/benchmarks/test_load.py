"""What a server bears is asked by wrk, which is not everywhere; it must be told what to print."""

from __future__ import annotations

from benchmarks.load import WRK_SCRIPT


def test_the_script_that_wrk_is_given_prints_what_is_read() -> None:
    text = WRK_SCRIPT.read_text("utf-8")
    for name in ("requests", "seconds", "failed", "latency_ms"):
        assert f'"{name}": ' in text
