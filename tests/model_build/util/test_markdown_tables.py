"""Tables as commands print them."""

from __future__ import annotations

import math

import pytest

from model_build.util.markdown_tables import format_cell, nan_to_null, print_table


def test_a_table_of_figures(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"one": (0.12345, 1416.0), "other": (float("nan"), 83.0)}
    rows = (
        [name, format_cell(one, ".3f"), format_cell(two, ",.0f")]
        for name, (one, two) in figures.items()
    )
    print_table(("name", "RMSE", "coverage"), rows)
    assert capsys.readouterr().out == (
        "| name | RMSE | coverage |\n|---|---|---|\n| one | 0.123 | 1,416 |\n| other | - | 83 |\n"
    )


def test_nan_is_null_in_json_at_any_depth() -> None:
    found = {"a": math.nan, "b": 1, "ci": {"a": [math.nan, 2.0]}, "calibration": [{"x": math.nan}]}
    cleaned = {"a": None, "b": 1, "ci": {"a": [None, 2.0]}, "calibration": [{"x": None}]}
    assert nan_to_null(found) == cleaned
