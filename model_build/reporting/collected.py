"""A page about users that were collected: how much they do, in segments, and what they did."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.figure import Figure

from model_build.collecting.report import FLAGS, MAL_STATUS, counts_of
from model_build.collecting.segments import A_FAVOURITE, A_RATING, SEGMENTS, edges
from model_build.reporting.charts import INCHES as CHART
from model_build.reporting.charts import MARKERS, SERIES, Chart, drawn
from model_build.reporting.page import chart_section, document, list_of

MOST_POINTS = 600
"""So many users are drawn in the pair plot; more would only cover each other."""
BINS = 20
INCHES = (8.8, 8.8)
PAIRED = {
    "life_spent_on_anime": "minutes spent",
    "favorites": "favourites",
    "ratings": "ratings",
    "score": "score",
}
OTHERS = ("scored", *FLAGS)
LOGARITHMIC = ("life_spent_on_anime", "favorites", "ratings")

Floats = npt.NDArray[np.float64]


def collected_page(
    users: pl.DataFrame, interactions: pl.DataFrame, report: Mapping[str, Any]
) -> str:
    """The whole document; ``interactions`` are those that are written to train on."""
    title = f"{len(users):,} users collected from Kitsu"
    written = [name for name in SEGMENTS if report["segments"][name]["written"]]
    lead = (
        "Drawn from random pages of all users; those with no time spent and no ratings are left "
        f"out. Written to train on: {escape(', '.join(written))}."
    )
    counted = {what: f"{count:,}" for what, count in report["counted"].items()}
    counted["requests a user beyond the pages of users"] = str(
        report["calls_a_user_beyond_sampling"]
    )
    return document(
        title,
        lead,
        [
            _pairs(users),
            _kinds(interactions),
            chart_section(_by_segment(users, interactions)),
            f'<section class="wide"><h2>Counted on the way</h2>{list_of(counted)}</section>',
        ],
    )


def _pairs(users: pl.DataFrame) -> str:
    shown = users.head(MOST_POINTS)
    title = "Users by what they do"
    note = (
        f"Each of the first {len(shown):,} users of the sample, by two of four numbers; on the "
        "diagonal how all users spread over one. The score is ln(minutes + "
        f"{A_RATING:g} ratings + {A_FAVOURITE:g} favourites), and the segments are thirds of its "
        "range. Minutes, favourites and ratings are drawn on a scale of powers of ten."
    )
    picture = drawn(title, INCHES, lambda figure: _draw_pairs(figure, users, shown))
    bounds = edges(users["score"].to_numpy())
    sizes = {
        f"{name}, score {bounds[place]:.2f} to {bounds[place + 1]:.2f}": (
            f"{users.filter(pl.col('segment') == name).height:,} users"
        )
        for place, name in enumerate(SEGMENTS)
    }
    return (
        f'<section class="wide"><h2>{title}</h2><p>{escape(note)}</p>'
        f'<div class="scroll large">{picture}</div>{list_of(sizes)}</section>'
    )


def _draw_pairs(figure: Figure, users: pl.DataFrame, shown: pl.DataFrame) -> None:
    grid = figure.subplots(len(PAIRED), len(PAIRED), sharex="col")
    for row, down in enumerate(PAIRED):
        for column, across in enumerate(PAIRED):
            axes = grid[row][column]
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(visible=False)
            axes.tick_params(labelsize=8)
            if row == column:
                _spread(axes, users, across)
            else:
                _points(axes, shown, across, down)
            if row == len(PAIRED) - 1:
                axes.set_xlabel(PAIRED[across])
            if column == 0:
                axes.set_ylabel(PAIRED[down] if row else "users")
    handles, labels = grid[0][1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(SEGMENTS))


def _points(axes: Any, shown: pl.DataFrame, across: str, down: str) -> None:
    for place, name in enumerate(SEGMENTS):
        part = shown.filter(pl.col("segment") == name)
        axes.plot(
            _values(part, across),
            _values(part, down),
            linestyle="none",
            marker=MARKERS[place],
            markersize=2.5,
            markeredgewidth=0,
            alpha=0.6,
            color=SERIES[place],
            label=name,
        )
    for name, axis in ((across, axes.xaxis), (down, axes.yaxis)):
        _ticks(axis, name)


def _spread(axes: Any, users: pl.DataFrame, name: str) -> None:
    bins = np.histogram_bin_edges(_values(users, name), BINS)
    axes.hist(
        [_values(users.filter(pl.col("segment") == segment), name) for segment in SEGMENTS],
        bins.tolist(),
        stacked=True,
        color=SERIES[: len(SEGMENTS)],
    )
    _ticks(axes.xaxis, name)


def _values(users: pl.DataFrame, name: str) -> Floats:
    values = users[name].cast(pl.Float64).to_numpy()
    return np.log10(1 + values) if name in LOGARITHMIC else values


def _ticks(axis: Any, name: str) -> None:
    if name in LOGARITHMIC:
        powers = range(0, 10, 2 if name == "life_spent_on_anime" else 1)
        top = axis.get_view_interval()[1]
        shown = [power for power in powers if power <= top] or [0]
        words = ["0" if power == 0 else _short(10**power) for power in shown]
        axis.set_ticks(
            [0 if not power else float(np.log10(1 + 10**power)) for power in shown], words
        )


def _short(number: int) -> str:
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number // size}{letter}"
    return str(number)


def _kinds(interactions: pl.DataFrame) -> str:
    counts = counts_of(interactions)
    words = {"plan_to_watch": "planned", "watching": "current", "on_hold": "on hold"}
    kinds = {words.get(name, name): counts[name] for name in (*MAL_STATUS.values(), *OTHERS)}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
        axes.grid(visible=False)
        bars = axes.barh(list(kinds), list(kinds.values()), 0.75, color=SERIES[0])
        axes.bar_label(bars, [f"{count:,}" for count in kinds.values()], padding=3, fontsize=9)
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.margins(x=0.2)

    title = "Interactions"
    return (
        f"<section><h2>{title}</h2><p>{counts['all']:,} pairs of a user and an anime, by what the "
        f"user did; a pair may be in several bars.</p>{drawn(title, CHART, draw)}</section>"
    )


def _by_segment(users: pl.DataFrame, interactions: pl.DataFrame) -> Chart:
    both = interactions.join(users.select("user_id", "segment"), on="user_id")
    kinds = {
        "in the library": pl.col("status") > 0,
        "scored": pl.col("rating") > 0,
        "favourite": pl.col("favourite"),
    }
    members = dict(users.group_by("segment").len().iter_rows())

    def mean(segment: str, kind: pl.Expr) -> float:
        found = both.filter((pl.col("segment") == segment) & kind).height
        return found / members[segment] if members.get(segment) else float("nan")

    return Chart(
        "Interactions a user",
        "The mean of each segment; one that is not written has none.",
        "segment",
        "anime",
        list(SEGMENTS),
        {name: [mean(segment, kind) for segment in SEGMENTS] for name, kind in kinds.items()},
        bars=True,
        digits=1,
    )
