"""Measuring scale: a real run on a tiny dump, and the page and plot that are made from results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.scale import (
    PAGE,
    RESULTS,
    SERIES,
    ScalingCase,
    _measure_case,
    replace_tables,
    series_results,
)


@pytest.mark.parametrize("file", ["rating_complete.csv", "animelist.csv"])
def test_a_case_is_generated_prepared_and_trained_on(tmp_path: Path, file: str) -> None:
    found = _measure_case(ScalingCase(4000, 90, 300, file), tmp_path)
    assert found["counts"]["fans"] == pytest.approx(90, abs=15)
    scored = found["counts"]["ratings"] / found["counts"]["entries"]
    assert scored == 1 if file.startswith("rating") else 0.4 < scored < 0.7
    for step in ("prepare", "train"):
        cost = found[step]
        assert cost["cpu"] > 0
        assert cost["wall"] > 0
        assert 50 < cost["peak_mb"] < 4000
    assert {"similarity", "taste factors", "pair sums", "affinity"} <= set(found["steps"])
    assert json.loads(json.dumps(found)) == found


def test_sizes_span_two_decades_in_five_steps() -> None:
    rows = [case.rows for case in SERIES["growth"]]
    assert len(rows) >= 5
    assert rows == sorted(rows)
    assert rows[-1] / rows[0] == pytest.approx(100, rel=0.01)


def test_the_page_and_the_plot_show_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = json.loads(RESULTS.read_text("utf-8"))
    text = PAGE.read_text("utf-8")
    assert replace_tables(text, results) == text
    for series in SERIES:
        for row in series_results(results, series):
            assert f"| {row['counts']['entries']:,} |" in text
    monkeypatch.setattr(scale, "PLOT", tmp_path / "scale.svg")
    scale.write_plot(results)
    assert (tmp_path / "scale.svg").read_bytes() == (PAGE.parent / "scale.svg").read_bytes()
