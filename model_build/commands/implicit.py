"""Measure and tune recommending from what fans did (implicit feedback).

A fifth of every fan's interactions is hidden, and a tenth of the fans is not trained on at all.

    strengths   search for what an entry's status is worth, and compare that with the fixed values
    grid        measure ALS with 64 combinations of settings; the best one becomes the model
    compare     ALS beside popularity and Hakken's own ranking

Example:

    python -m model_build implicit strengths --interactions did.parquet --out strengths.json
    python -m model_build implicit grid --interactions did.parquet --table grid \\
        --strengths strengths.json --model model --out model-als
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from app.recommender import Model
from app.recommender.artifact import ensure_replaceable
from model_build.commands.als_options import (
    add_als_options,
    add_interaction_options,
    als_settings_from,
    read_interactions_from,
    read_strengths,
    write_strengths,
)
from model_build.commands.arguments import non_negative_float, positive_int
from model_build.data.catalogue import read_catalogue
from model_build.data.holdout import MaskedInteractions, mask_interactions
from model_build.engines import als
from model_build.engines.als import AlsSettings
from model_build.engines.base import add_engine
from model_build.evaluate.comparison import ComparisonRow, compare_implicit
from model_build.tuning.als_grid import (
    SELECTION_METRIC,
    GridRow,
    GridSearch,
    ParameterGrid,
    best_settings,
    read_grid,
)
from model_build.tuning.strength_search import print_trial, search_strengths, split_in_half
from model_build.util.errors import InputError
from model_build.util.markdown_tables import format_cell, print_table

HELP = "measure and tune recommending from what fans did"
METRIC_NAMES = ("auc", "precision@10", "map@10", "ndcg@10")
METRIC_COLUMNS = (*METRIC_NAMES, *(f"new_{name}" for name in METRIC_NAMES))
METRIC_TITLES = ("AUC", "P@10", "MAP@10", "NDCG@10")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(dest="part", required=True, metavar="WHAT")

    def part(name: str, help_text: str) -> argparse.ArgumentParser:
        made = parts.add_parser(name, help=help_text, description=help_text)
        add_interaction_options(made)
        made.add_argument("--seed", type=int, default=0, help="of what is hidden, and of fits")
        return made

    made = part("strengths", "search for what an entry's status is worth")
    add_als_options(made)
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="strengths found")
    made.set_defaults(do=_run_strength_search)

    made = part("grid", "measure ALS with combinations of settings; the best becomes the model")
    add_als_options(made, only=("alpha",))
    axes = ParameterGrid()
    for name, kind in (
        ("factors", positive_int),
        ("regularization", non_negative_float),
        ("iterations", positive_int),
    ):
        values = getattr(axes, name)
        shown = " ".join(f"{value:g}" for value in values)
        made.add_argument(
            f"--{name}", nargs="+", type=kind, default=values, help=f"default {shown}"
        )
    made.add_argument(
        "--table", type=Path, required=True, metavar="DIR", help="of runs; finished ones are kept"
    )
    made.add_argument("--model", type=Path, metavar="DIR", help="to add the best one to")
    made.add_argument("--out", type=Path, metavar="DIR", help="the new model")
    made.set_defaults(do=_run_grid_search)

    made = part("compare", "ALS beside popularity and Hakken's own ranking")
    add_als_options(made)
    made.add_argument("--catalogue", type=Path, metavar="FILE", help="for Hakken's model")
    made.add_argument("--table", type=Path, metavar="DIR", help="a grid: its best is compared too")
    made.add_argument(
        "--learnt", type=Path, metavar="FILE", help="strengths to compare with the fixed ones"
    )
    made.set_defaults(do=_run_comparison)


def run(arguments: argparse.Namespace) -> None:
    arguments.do(arguments)


def _run_strength_search(arguments: argparse.Namespace) -> None:
    settings, masked = _load_masked(arguments)
    validation, test = split_in_half(masked.new_users)
    found = search_strengths(masked, settings, validation, print_trial)
    learnt = replace(settings, strengths=found.strengths)
    write_strengths(arguments.out, found.strengths)
    print(f"Measured on {len(test):,} fans that the search did not look at.\n")
    _print_results(
        compare_implicit(
            masked,
            {"ALS, fixed": settings, "ALS, learnt": learnt},
            include_hakken=False,
            new_users=test,
        )
    )


def _run_grid_search(arguments: argparse.Namespace) -> None:
    if (arguments.model is None) != (arguments.out is None):
        raise InputError("--model and --out go together: what to add the best one to, and where.")
    if arguments.out:
        ensure_replaceable(arguments.out)
    settings, masked = _load_masked(arguments)
    axes = ParameterGrid(
        tuple(arguments.factors), tuple(arguments.regularization), tuple(arguments.iterations)
    )
    model = Model.open(arguments.model) if arguments.model else None
    start, new = time.perf_counter(), []

    def on_row(row: GridRow) -> None:
        new.append(row)
        print(_format_grid_row(row), file=sys.stderr, flush=True)

    rows = GridSearch(arguments.table, masked, settings, axes).run(on_row)
    seconds = time.perf_counter() - start
    chosen = best_settings(rows, settings)
    print(f"{len(rows)} runs in {arguments.table}, {len(new)} of them new, in {seconds:.1f} s")
    best = max(rows, key=lambda row: row[SELECTION_METRIC])
    print(f"best by {SELECTION_METRIC}: {_format_grid_row(best)}")
    if model:
        fitted = als.fit(masked.interactions, model.anime_id, chosen, progress=sys.stderr.isatty())
        manifest = add_engine(arguments.model, "als", fitted, arguments.out)
        print(f"model {manifest.version} in {arguments.out}")


def _run_comparison(arguments: argparse.Namespace) -> None:
    settings, masked = _load_masked(arguments)
    if arguments.catalogue:
        read_catalogue(arguments.catalogue)  # of no weight in this ranking, but must be one
    compared = {"ALS, fixed strengths": settings}
    if arguments.learnt:
        learnt = replace(settings, strengths=read_strengths(arguments.learnt))
        compared["ALS, learnt strengths"] = learnt
    if arguments.table:
        compared["ALS, best of the grid"] = best_settings(*read_grid(arguments.table))
    _print_results(compare_implicit(masked, compared))


def _load_masked(arguments: argparse.Namespace) -> tuple[AlsSettings, MaskedInteractions]:
    settings = replace(als_settings_from(arguments), seed=arguments.seed)
    masked = mask_interactions(read_interactions_from(arguments), seed=arguments.seed)
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
    columns = (
        "recommender",
        *METRIC_TITLES,
        *(f"{title}, new" for title in METRIC_TITLES),
        "fit s",
    )
    print_table(columns, map(_table_cells, rows))


def _table_cells(row: ComparisonRow) -> list[str]:
    measured = (format_cell(row.measured[name], ".3f") for name in METRIC_COLUMNS)
    return [f"{row.title:<22}", *measured, format_cell(row.train_seconds, ".1f")]
