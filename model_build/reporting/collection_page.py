"""A page about collected users: their activity, by segments, and their interactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from app.recommender.array_types import Float64Array
from model_build.collect.config import ACTIVITY_SEGMENTS
from model_build.collect.kitsu.collection import FAVOURITE_WEIGHT, RATING_WEIGHT
from model_build.collect.report import (
    FLAG_COLUMNS,
    STATUS_NAMES,
    activity_totals,
    interaction_counts,
    sparsity,
)
from model_build.reporting.charts import CHART_SIZE, MARKERS, SERIES_COLOURS, Chart, figure_svg
from model_build.reporting.page import render_page

MAX_POINTS = 600
"""Users in the pair plot; more would only cover each other."""
N_BINS = 20
PAIR_PLOT_TITLE, KINDS_TITLE = "Users by what they do", "Interactions"
ACTIVITY_TITLE = "What the segments did in all"
ACTIVITY_SIZE = (8.8, 3.6)
ACTIVITY_LABELS = {
    "comments": "comments",
    "posts": "posts",
    "reviews": "reviews",
    "reactions": "reactions",
    "favorites": "favourites",
    "ratings": "ratings",
    "likes_given": "likes given",
    "likes_received": "likes received",
    "followers": "followers",
    "following": "following",
    "hours": "hours spent",
}
PAIR_PLOT_SIZE = (8.8, 8.8)
PAIR_PLOT_COLUMNS = {
    "life_spent_on_anime": "minutes spent",
    "favorites": "favourites",
    "ratings": "ratings",
    "score": "score",
}
FLAG_KINDS = ("scored", *FLAG_COLUMNS)
LOG_COLUMNS = ("life_spent_on_anime", "favorites", "ratings")


def collection_report_page(
    users: pl.DataFrame, interactions: pl.DataFrame, report: Mapping[str, Any]
) -> str:
    """Return the whole document; ``interactions`` are those that are written to train on."""
    sample = users.head(MAX_POINTS)
    segments = report["segments"]
    kind_counts = interaction_counts(interactions)
    return render_page(
        "collection.html.j2",
        n_users=len(users),
        written_segments=[name for name in ACTIVITY_SEGMENTS if segments[name]["written"]],
        pair_plot_title=PAIR_PLOT_TITLE,
        pair_plot=figure_svg(
            PAIR_PLOT_TITLE, PAIR_PLOT_SIZE, lambda figure: _draw_pair_plot(figure, users, sample)
        ),
        n_points=len(sample),
        rating_weight=RATING_WEIGHT,
        favourite_weight=FAVOURITE_WEIGHT,
        segment_sizes={
            f"{name}, score {facts['score_from']:.2f} to {facts['score_to']:.2f}": (
                f"{facts['users']:,} users"
            )
            for name, facts in segments.items()
        },
        kinds_title=KINDS_TITLE,
        kinds_plot=figure_svg(
            KINDS_TITLE, CHART_SIZE, lambda figure: _draw_kinds(figure, kind_counts)
        ),
        n_interactions=kind_counts["all"],
        n_anime=kind_counts["anime_interacted"],
        sparsity=sparsity(interactions),
        activity_title=ACTIVITY_TITLE,
        activity_plot=figure_svg(
            ACTIVITY_TITLE, ACTIVITY_SIZE, lambda figure: _draw_activity(figure, users)
        ),
        segment_chart=_segment_chart(users, interactions),
        counted={
            **{what: f"{count:,}" for what, count in report["counted"].items()},
            "requests a user beyond the pages of users": report["calls_a_user_beyond_sampling"],
        },
    )


def _draw_pair_plot(figure: Figure, users: pl.DataFrame, sample: pl.DataFrame) -> None:
    grid = figure.subplots(len(PAIR_PLOT_COLUMNS), len(PAIR_PLOT_COLUMNS), sharex="col")
    for row, down in enumerate(PAIR_PLOT_COLUMNS):
        for column, across in enumerate(PAIR_PLOT_COLUMNS):
            axes = grid[row][column]
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(visible=False)
            axes.tick_params(labelsize=8)
            if row == column:
                _draw_histogram(axes, users, across)
            else:
                _draw_scatter(axes, sample, across, down)
            if row == len(PAIR_PLOT_COLUMNS) - 1:
                axes.set_xlabel(PAIR_PLOT_COLUMNS[across])
            if column == 0:
                axes.set_ylabel(PAIR_PLOT_COLUMNS[down] if row else "users")
    handles, labels = grid[0][1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(ACTIVITY_SEGMENTS))


def _draw_scatter(axes: Any, sample: pl.DataFrame, across: str, down: str) -> None:
    for at, name in enumerate(ACTIVITY_SEGMENTS):
        part = sample.filter(pl.col("segment") == name)
        axes.plot(
            _column_values(part, across),
            _column_values(part, down),
            linestyle="none",
            marker=MARKERS[at],
            markersize=2.5,
            markeredgewidth=0,
            alpha=0.6,
            color=SERIES_COLOURS[at],
            label=name,
        )
    for name, axis in ((across, axes.xaxis), (down, axes.yaxis)):
        _set_ticks(axis, name)


def _draw_histogram(axes: Any, users: pl.DataFrame, name: str) -> None:
    bins = np.histogram_bin_edges(_column_values(users, name), N_BINS)
    axes.hist(
        [
            _column_values(users.filter(pl.col("segment") == segment), name)
            for segment in ACTIVITY_SEGMENTS
        ],
        bins.tolist(),
        stacked=True,
        color=SERIES_COLOURS[: len(ACTIVITY_SEGMENTS)],
    )
    _set_ticks(axes.xaxis, name)


def _column_values(users: pl.DataFrame, name: str) -> Float64Array:
    values = users[name].cast(pl.Float64).to_numpy()
    return np.log10(1 + values) if name in LOG_COLUMNS else values


def _set_ticks(axis: Any, name: str) -> None:
    if name in LOG_COLUMNS:
        powers = range(0, 10, 2 if name == "life_spent_on_anime" else 1)
        top = axis.get_view_interval()[1]
        shown = [power for power in powers if power <= top] or [0]
        numbers = [10**power if power else 0 for power in shown]
        axis.set_ticks(
            np.log10(1 + np.array(numbers)), map(EngFormatter(sep="").format_eng, numbers)
        )


def _draw_kinds(figure: Figure, counts: Mapping[str, int]) -> None:
    labels = {"plan_to_watch": "planned", "watching": "current", "on_hold": "on hold"}
    kinds = {labels.get(name, name): counts[name] for name in (*STATUS_NAMES.values(), *FLAG_KINDS)}
    axes = figure.add_subplot()
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    axes.grid(visible=False)
    bars = axes.barh(list(kinds), list(kinds.values()), 0.75, color=SERIES_COLOURS[0])
    axes.bar_label(bars, [f"{count:,}" for count in kinds.values()], padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.2)


def _draw_activity(figure: Figure, users: pl.DataFrame) -> None:
    """Bars for each kind of activity, one a segment, on a scale of powers of ten."""
    totals = activity_totals(users)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    places, width = np.arange(len(ACTIVITY_LABELS)), 0.8 / len(ACTIVITY_SEGMENTS)
    for at, name in enumerate(ACTIVITY_SEGMENTS):
        values = [totals[name][kind] for kind in ACTIVITY_LABELS]
        axes.bar(places + (at - 1) * width, values, width, color=SERIES_COLOURS[at], label=name)
    axes.set_yscale("symlog", linthresh=1)
    axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xticks(places, list(ACTIVITY_LABELS.values()), rotation=30, ha="right", fontsize=9)
    axes.margins(x=0.01)
    figure.legend(loc="outside upper left", ncols=len(ACTIVITY_SEGMENTS))


def _segment_chart(users: pl.DataFrame, interactions: pl.DataFrame) -> Chart:
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
        list(ACTIVITY_SEGMENTS),
        {
            name: [mean(segment, kind) for segment in ACTIVITY_SEGMENTS]
            for name, kind in kinds.items()
        },
        bars=True,
        digits=1,
    )
