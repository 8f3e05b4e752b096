"""The tables of docs/scale.md, from what was measured."""

from __future__ import annotations

from typing import Any

from benchmarks.scale.cases import SERIES
from benchmarks.scale.measure import ROOT

PAGE = ROOT / "docs" / "scale.md"
SERIES_TITLES = {
    "growth": "Ratings and fans grow together, as a dump does",
    "anime": "The same ratings of more anime",
    "fans": "The same ratings by more fans",
    "full": "All list rows of 2020",
}
BEGIN_MARK, END_MARK = "<!-- measured -->", "<!-- /measured -->"


def write_scale_page(results: dict[str, Any]) -> None:
    """Put the tables into the page."""
    PAGE.write_text(replace_tables(PAGE.read_text("utf-8"), results), "utf-8")


def replace_tables(text: str, results: dict[str, Any]) -> str:
    """Put tables of these results between the marks of a text."""
    before, _, rest = text.partition(BEGIN_MARK)
    _, _, after = rest.partition(END_MARK)
    return "\n".join([before + BEGIN_MARK, "", *_render_tables(results), END_MARK]) + after


def series_results(results: dict[str, Any], series: str) -> list[dict[str, Any]]:
    """Return what was measured of a series, in the order of its growth."""
    return [results[case.name] for case in SERIES[series] if case.name in results]


def total_cost(result: dict[str, Any], what: str) -> float:
    """Of prepare and train together: both times, the higher peak."""
    both = result["prepare"][what], result["train"][what]
    return float(max(both) if what == "peak_mb" else sum(both))


def _render_tables(results: dict[str, Any]) -> list[str]:
    lines = []
    for series, title in SERIES_TITLES.items():
        rows = series_results(results, series)
        if rows:
            lines += [f"**{title}**", "", *_render_table(rows), ""]
    return lines


def _render_table(rows: list[dict[str, Any]]) -> list[str]:
    return [
        "| entries | fans | anime | CSV | prepare | train | both | processor | peak | load |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_render_row(row) for row in rows),
    ]


def _render_row(row: dict[str, Any]) -> str:
    counts = row["counts"]
    cells = (
        f"{counts['entries']:,}",
        f"{counts['fans']:,}",
        f"{counts['anime']:,}",
        f"{row['csv_mb']:,.0f} MB",
        f"{row['prepare']['wall']:,.0f} s",
        f"{row['train']['wall']:,.0f} s",
        f"{total_cost(row, 'wall'):,.0f} s",
        f"{total_cost(row, 'cpu'):,.0f} s",
        f"{total_cost(row, 'peak_mb') / 1024:.1f} GiB",
        f"{max(row['prepare']['load'], row['train']['load']):.1f}",
    )
    return "| " + " | ".join(cells) + " |"
