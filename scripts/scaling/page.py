"""The tables of docs/scale.md, from what was measured."""

from __future__ import annotations

from typing import Any

from scripts.scaling.cases import SERIES
from scripts.scaling.measuring import ROOT

PAGE = ROOT / "docs" / "scale.md"
TITLES = {
    "growth": "Ratings and fans grow together, as a dump does",
    "anime": "The same ratings of more anime",
    "fans": "The same ratings by more fans",
    "full": "All list rows of 2020",
}
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def write_page(results: dict[str, Any]) -> None:
    """Put the tables into the page."""
    PAGE.write_text(with_tables(PAGE.read_text("utf-8"), results), "utf-8")


def with_tables(text: str, results: dict[str, Any]) -> str:
    """The text with tables of these results between its marks, instead of what stands there."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, "", *_tables(results), END]) + after


def of_series(results: dict[str, Any], series: str) -> list[dict[str, Any]]:
    """What was measured of a series, in the order of its growth."""
    return [results[case.name] for case in SERIES[series] if case.name in results]


def total(result: dict[str, Any], what: str) -> float:
    """Of prepare and train together: both times, the higher peak."""
    both = result["prepare"][what], result["train"][what]
    return float(max(both) if what == "peak_mb" else sum(both))


def _tables(results: dict[str, Any]) -> list[str]:
    lines = []
    for series, title in TITLES.items():
        rows = of_series(results, series)
        if rows:
            lines += [f"**{title}**", "", *_table(rows), ""]
    return lines


def _table(rows: list[dict[str, Any]]) -> list[str]:
    return [
        "| entries | fans | anime | CSV | prepare | train | both | processor | peak | load |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(row) for row in rows),
    ]


def _row(row: dict[str, Any]) -> str:
    counts = row["counts"]
    cells = (
        f"{counts['entries']:,}",
        f"{counts['fans']:,}",
        f"{counts['anime']:,}",
        f"{row['csv_mb']:,.0f} MB",
        f"{row['prepare']['wall']:,.0f} s",
        f"{row['train']['wall']:,.0f} s",
        f"{total(row, 'wall'):,.0f} s",
        f"{total(row, 'cpu'):,.0f} s",
        f"{total(row, 'peak_mb') / 1024:.1f} GiB",
        f"{max(row['prepare']['load'], row['train']['load']):.1f}",
    )
    return "| " + " | ".join(cells) + " |"
