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
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from model_build.engines.config import AlsData, AlsFitOptions
from model_build.util.errors import InputError
from model_build.util.options import (
    InputFile,
    InputFolder,
    Metavar,
    NonNegativeFloat,
    OutputFile,
    OutputFolder,
    PositiveInt,
    Role,
)

if TYPE_CHECKING:
    from model_build.data.masking import MaskedInteractions
    from model_build.engines.als import AlsSettings
    from model_build.evaluate.comparison import ComparisonRow
    from model_build.tuning.als_grid import GridRow

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


class ImplicitConfig(AlsData):
    """Options of every part of `implicit`."""

    part: Annotated[str, Role.SUBCOMMAND, Metavar("WHAT")]


class StrengthsConfig(ImplicitConfig, AlsFitOptions):
    """Options of `implicit strengths`."""

    out: OutputFile = Field(description="strengths found")


class GridConfig(ImplicitConfig):
    """Options of `implicit grid`."""

    factors: tuple[PositiveInt, ...] = Field((10, 20, 40, 80), description="default 10 20 40 80")
    regularization: tuple[NonNegativeFloat, ...] = Field(
        (0.0, 1e-5, 1e-3, 1e-1), description="default 0 1e-05 0.001 0.1"
    )
    iterations: tuple[PositiveInt, ...] = Field((10, 20, 30, 50), description="default 10 20 30 50")
    table: OutputFolder = Field(description="of runs; finished ones are kept")
    model: InputFolder | None = Field(None, description="to add the best one to")
    out: OutputFolder | None = Field(None, description="the new model")


class ComparisonConfig(ImplicitConfig, AlsFitOptions):
    """Options of `implicit compare`."""

    catalogue: InputFile | None = Field(None, description="for Hakken's model")
    table: InputFolder | None = Field(None, description="a grid: its best is compared too")
    learnt: InputFile | None = Field(None, description="strengths to compare with the fixed ones")


class EventsConfig(ImplicitConfig, AlsFitOptions):
    """Options of `implicit events`."""


CONFIG = {
    "strengths": (StrengthsConfig, "search for what an entry's status is worth"),
    "events": (EventsConfig, "what favourites, comments, reviews and time add to statuses"),
    "grid": (GridConfig, "measure ALS with combinations of settings; the best becomes the model"),
    "compare": (ComparisonConfig, "ALS beside popularity and Hakken's own ranking"),
}


def run(config: StrengthsConfig | EventsConfig | GridConfig | ComparisonConfig) -> None:
    """Run the part that was chosen."""
    if isinstance(config, StrengthsConfig):
        _search_strengths(config)
    elif isinstance(config, EventsConfig):
        _measure_events(config)
    elif isinstance(config, GridConfig):
        _search_grid(config)
    else:
        _compare(config)


def _search_strengths(config: StrengthsConfig) -> None:
    from model_build.engines.settings import write_strengths
    from model_build.evaluate.comparison import compare_implicit
    from model_build.tuning.strength_search import print_trial, search_strengths, split_in_half

    settings, masked = _load_masked(config)
    validation, test = split_in_half(masked.new_users)
    found = search_strengths(masked, settings, validation, print_trial)
    write_strengths(config.out, found.strengths)
    print(f"Measured on {len(test):,} fans that the search did not look at.\n")
    compared = {"ALS, fixed": settings, "ALS, learnt": replace(settings, strengths=found.strengths)}
    _print_results(compare_implicit(masked, compared, include_hakken=False, new_users=test))


def _measure_events(config: EventsConfig) -> None:
    from model_build.tuning.strength_search import measure_events, print_trial, split_in_half
    from model_build.util.markdown_tables import format_cells, print_table

    settings, masked = _load_masked(config)
    values = measure_events(masked, settings, print_trial)
    _, test = split_in_half(masked.new_users)
    print(f"Measured on {len(test):,} fans that the search did not look at.\n")
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


def _search_grid(config: GridConfig) -> None:
    from app.recommender import Model
    from app.recommender.artifact import ensure_replaceable
    from model_build.engines import als
    from model_build.engines.base import add_engine
    from model_build.tuning.als_grid import (
        SELECTION_METRIC,
        GridSearch,
        ParameterGrid,
        best_settings,
    )

    if (config.model is None) != (config.out is None):
        raise InputError("--model and --out go together: what to add the best one to, and where.")
    if config.out:
        ensure_replaceable(config.out)
    settings, masked = _load_masked(config)
    grid = ParameterGrid(config.factors, config.regularization, config.iterations)
    model = Model.open(config.model) if config.model else None
    start, new = time.perf_counter(), []

    def on_row(row: GridRow) -> None:
        new.append(row)
        print(_format_grid_row(row), file=sys.stderr, flush=True)

    rows = GridSearch(config.table, masked, settings, grid).run(on_row)
    seconds = time.perf_counter() - start
    chosen = best_settings(rows, settings)
    best = max(rows, key=lambda row: row[SELECTION_METRIC])
    print(f"{len(rows)} runs in {config.table}, {len(new)} of them new, in {seconds:.1f} s")
    print(f"best by {SELECTION_METRIC}: {_format_grid_row(best)}")
    if model and config.model and config.out:
        fitted = als.fit(masked.interactions, model.anime_id, chosen, progress=sys.stderr.isatty())
        manifest = add_engine(config.model, "als", fitted, config.out)
        print(f"model {manifest.version} in {config.out}")


def _compare(config: ComparisonConfig) -> None:
    from model_build.data.catalogue import read_catalogue
    from model_build.engines.settings import read_strengths
    from model_build.evaluate.comparison import compare_implicit
    from model_build.tuning.als_grid import best_settings, read_grid

    settings, masked = _load_masked(config)
    if config.catalogue:
        read_catalogue(config.catalogue)  # of no weight in this ranking, but must be one
    compared = {"ALS, fixed strengths": settings}
    if config.learnt:
        learnt = replace(settings, strengths=read_strengths(config.learnt))
        compared["ALS, learnt strengths"] = learnt
    if config.table:
        compared["ALS, best of the grid"] = best_settings(*read_grid(config.table))
    _print_results(compare_implicit(masked, compared))


def _load_masked(config: ImplicitConfig) -> tuple[AlsSettings, MaskedInteractions]:
    from model_build.data.masking import mask_interactions
    from model_build.engines.settings import als_settings, read_als_interactions

    settings = als_settings(config)
    masked = mask_interactions(read_als_interactions(config), seed=config.seed)
    print(
        f"{len(masked.interactions):,} interactions; {len(masked.known_users):,} fans trained on, "
        f"{len(masked.new_users):,} others; {len(masked.anime_id):,} anime",
        file=sys.stderr,
    )
    return settings, masked


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
