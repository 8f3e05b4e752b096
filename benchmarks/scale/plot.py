"""docs/scale.svg: time and memory by ratings, anime and fans, on logarithmic scales."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.scale.measure import ROOT
from benchmarks.scale.page import series_results, total_cost

PLOT = ROOT / "docs" / "scale.svg"
PLOT_PANELS = (
    ("growth", "entries", "ratings"),
    ("anime", "anime", "anime"),
    ("fans", "fans", "fans"),
)
PLOT_LINES = (
    ("cpu", "processor seconds", "#1f5fa8", "o", 1.0),
    ("wall", "seconds", "#b3471d", "D", 1.0),
    ("peak_mb", "peak memory, GiB", "#3b7d3a", "s", 1 / 1024),
)


def write_plot(results: dict[str, Any]) -> None:
    """Draw what was measured; the same measures always give the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "scale", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(10, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        panels = figure.subplots(1, len(PLOT_PANELS), sharey=True)
        for axes, (series, count, label) in zip(panels, PLOT_PANELS, strict=True):
            _draw_panel(axes, series_results(results, series), count, label)
        panels[0].set_ylabel("prepare and train together")
        panels[0].legend(frameon=False)
        figure.savefig(PLOT, format="svg", facecolor="white", metadata={"Date": None})


def _draw_panel(axes: Axes, rows: list[dict[str, Any]], count: str, label: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(label)
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    for what, name, colour, marker, unit in PLOT_LINES:
        axes.plot(
            [row["counts"][count] for row in rows],
            [total_cost(row, what) * unit for row in rows],
            color=colour,
            marker=marker,
            label=name,
        )
