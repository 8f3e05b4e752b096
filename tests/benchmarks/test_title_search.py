"""The benchmark of searches runs on a small model, and says what it compares."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.title_search import main


def test_it_compares_with_a_scan(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--model", str(tiny_model), "--searches", "4"])
    head, _, columns, *rows = capsys.readouterr().out.splitlines()
    assert "4 searches" in head
    assert columns.split() == ["scan", "Hakken", "ratio"]
    assert len(rows) == 5
    assert all(float(row.split()[-1].removesuffix("x")) >= 0 for row in rows)
