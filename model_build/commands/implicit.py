r"""Measure and tune recommending from what fans did (implicit feedback).

A fifth of every fan's interactions is hidden, and a tenth of the fans is not trained on at all.

    strengths   search for what an entry's status, a favourite, a comment, a review and time are
                worth, and compare that with the fixed values
    events      what favourites, comments, reviews and time add to statuses, each for itself
    grid        measure ALS with 64 combinations of settings; the best one becomes the model
    compare     ALS beside popularity and Hakken's own ranking

Example:

    python -m model_build implicit strengths --interactions did.parquet --out strengths.json
    python -m model_build implicit grid --interactions did.parquet --table grid \
        --strengths strengths.json --model model --out model-als
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from model_build.tuning.config import (
    EventsConfig,
    GridConfig,
    ImplicitComparisonConfig,
    StrengthSearchConfig,
)

if TYPE_CHECKING:
    from model_build.evaluate.comparison import ComparisonRow
    from model_build.tuning.als_grid import GridRow
    from model_build.tuning.strength_search import EventValue

METRIC_NAMES = ("auc", "precision@10", "map@10", "ndcg@10")
METRIC_COLUMNS = (*METRIC_NAMES, *(f"new_{name}" for name in METRIC_NAMES))
METRIC_TITLES = ("AUC", "P@10", "MAP@10", "NDCG@10")
EVENT_TITLES = {
    "statuses": "statuses alone",
    "favourite": "statuses, favourites",
    "commented": "statuses, comments",
    "reviewed": "statuses, reviews",
    "time": "statuses, time spent",
    "all": "all of them",
}
CONFIG = {
    "strengths": (StrengthSearchConfig, "search for what an entry's status is worth"),
    "events": (EventsConfig, "what favourites, comments, reviews and time add to statuses"),
    "grid": (GridConfig, "measure ALS with combinations of settings; the best becomes the model"),
    "compare": (ImplicitComparisonConfig, "ALS beside popularity and Hakken's own ranking"),
}


def run(
    config: StrengthSearchConfig | EventsConfig | GridConfig | ImplicitComparisonConfig,
) -> None:
    """Run the part that was chosen, and print its table, or its rows as JSON."""
    from model_build.pipeline.task import run_job
    from model_build.tuning import implicit_job as job

    if config.as_json:
        print(run_job(config))
    elif isinstance(config, StrengthSearchConfig):
        n_users, rows = job.find_strengths(config)
        _print_users(n_users)
        _print_results(rows)
    elif isinstance(config, EventsConfig):
        n_users, values = job.value_events(config)
        _print_users(n_users)
        _print_events(values)
    elif isinstance(config, GridConfig):
        _print_grid(config)
    else:
        _print_results(job.compare_als(config))


def _print_users(n_users: int) -> None:
    print(f"Measured on {n_users:,} fans that the search did not look at.\n")


def _print_events(values: Iterable[EventValue]) -> None:
    from model_build.util.markdown_tables import format_cells, print_table

    print_table(
        ("learnt from", "entries", "strength", *METRIC_TITLES),
        (
            [
                f"{EVENT_TITLES[value.name]:<22}",
                f"{value.count:,}",
                "" if value.name in ("statuses", "all") else f"{value.strength:g}",
                *format_cells(value.metrics, ".4f", *(f"new_{name}" for name in METRIC_NAMES)),
            ]
            for value in values
        ),
    )


def _print_grid(config: GridConfig) -> None:
    from model_build.tuning.als_grid import SELECTION_METRIC
    from model_build.tuning.implicit_job import search_grid

    done = search_grid(
        config, lambda row: print(_format_grid_row(row), file=sys.stderr, flush=True)
    )
    best = max(done.rows, key=lambda row: row[SELECTION_METRIC])
    print(
        f"{len(done.rows)} runs in {config.table}, {done.n_new} of them new, "
        f"in {done.seconds:.1f} s"
    )
    print(f"best by {SELECTION_METRIC}: {_format_grid_row(best)}")
    if done.version:
        print(f"model {done.version} in {config.out}")


def _format_grid_row(row: GridRow) -> str:
    named = f"{row['factors']:>3} factors, regularization {row['regularization']:g}, "
    measured = ", ".join(f"{name} {row[name]:.4f}" for name in METRIC_COLUMNS)
    return f"{named}{row['iterations']} iterations: {measured}"


def _print_results(rows: Iterable[ComparisonRow]) -> None:
    from model_build.util.markdown_tables import format_cell, format_cells, print_table

    print_table(
        ("recommender", *METRIC_TITLES, *(f"{title}, new" for title in METRIC_TITLES), "fit s"),
        (
            [
                f"{row.title:<22}",
                *format_cells(row.measured, ".3f", *METRIC_COLUMNS),
                format_cell(row.train_seconds, ".1f"),
            ]
            for row in rows
        ),
    )
