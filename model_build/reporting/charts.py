"""Charts as inline SVG with the colours and the font of the page around it.

matplotlib draws with placeholder colours, which are then replaced by CSS variables: one drawing
serves light and dark. Text stays text. The same chart always gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

CHART_SIZE = (4.4, 3.0)
"""Inches; text of 10 points is about as large on a phone, and 1.5 times on a desk."""
PLACEHOLDER_COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--soft)",
    "#030303": "var(--line)",
    "#0a0001": "var(--series-1)",
    "#0a0002": "var(--series-2)",
    "#0a0003": "var(--series-3)",
    "#0a0004": "var(--series-4)",
}
TEXT_COLOUR, MUTED_COLOUR, LINE_COLOUR, *SERIES_COLOURS = PLACEHOLDER_COLOURS
MARKERS = "oDs^"
MAX_LABEL_LENGTH = 30
MATPLOTLIB_STYLE: Any = {  # matplotlib types the names one by one
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.edgecolor": LINE_COLOUR,
    "axes.labelcolor": MUTED_COLOUR,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": LINE_COLOUR,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED_COLOUR,
    "ytick.color": MUTED_COLOUR,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": TEXT_COLOUR,
    "legend.frameon": False,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over common positions ``x``, drawn as lines or ``bars``.

    ``marked_index`` is the position that the model uses. With ``numeric`` the positions are numbers
    on a scale like that of the values, and a diagonal shows where both are equal. ``note`` is a
    sentence on what is shown, ``digits`` the decimals of the table. NaN is not drawn.
    """

    title: str
    note: str
    x_label: str
    y_label: str
    x: Sequence[str]
    series: Mapping[str, Sequence[float]]
    bars: bool = False
    numeric: bool = False
    marked_index: int | None = None
    digits: int = 3


def chart_svg(chart: Chart) -> str:
    """Return the chart as one ``<svg>`` element."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.spines[["top", "right", "left"]].set_visible(False)
        (_draw_bars if chart.bars else _draw_lines)(axes, chart)
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel(chart.y_label)
        if len(chart.series) > 1:
            columns = 2 if len("".join(chart.series)) > MAX_LABEL_LENGTH else len(chart.series)
            figure.legend(loc="outside upper left", ncols=columns, handlelength=1.2)

    return figure_svg(chart.title, CHART_SIZE, draw)


def figure_svg(title: str, inches: tuple[float, float], draw: Callable[[Figure], None]) -> str:
    """Return what ``draw`` makes of an empty figure, as one ``<svg>`` element."""
    salt = re.sub(r"\W+", "-", title.lower())
    with mpl.rc_context({**MATPLOTLIB_STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return _apply_theme(out.getvalue(), title, salt)


def _draw_lines(axes: Axes, chart: Chart) -> None:
    at = np.array(chart.x, float) if chart.numeric else np.arange(len(chart.x))
    if chart.numeric:
        ends = [float(at.min()), float(at.max())] if len(at) else [1.0, 10.0]
        axes.plot(ends, ends, color=MUTED_COLOUR, linewidth=1, linestyle=(0, (4, 4)))
    if chart.marked_index is not None:
        axes.axvline(chart.marked_index, color=MUTED_COLOUR, linewidth=1, linestyle=(0, (2, 3)))
    for index, (name, values) in enumerate(chart.series.items()):
        axes.plot(
            at,
            np.array(values, float),
            color=SERIES_COLOURS[index],
            marker=MARKERS[index],
            markersize=5,
            linewidth=2,
            label=name,
        )
    if not chart.numeric:
        axes.set_xticks(at, chart.x)
        axes.margins(x=0.05)


def _draw_bars(axes: Axes, chart: Chart) -> None:
    at = np.arange(len(chart.x))
    width = 0.8 / len(chart.series)
    for index, (name, values) in enumerate(chart.series.items()):
        offset = (index - (len(chart.series) - 1) / 2) * width
        axes.bar(
            at + offset,
            np.nan_to_num(np.array(values, float)),
            width * 0.88,
            color=SERIES_COLOURS[index],
            label=name,
        )
    axes.set_xticks(at, chart.x)


def _apply_theme(figure_svg: str, title: str, salt: str) -> str:
    """Only the element itself, with the page's colours and font, and ids of its own."""
    drawn = figure_svg[figure_svg.index("<svg") :].strip()
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"font-family: [^;\"]*;? ?", "", drawn)
    drawn = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{salt}-", drawn)
    for stand_in, variable in PLACEHOLDER_COLOURS.items():
        drawn = drawn.replace(stand_in, variable)
    # The page sets the width, the view box keeps the proportions.
    drawn = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", drawn, count=1)
    drawn = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawn, count=1)
    return drawn.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
