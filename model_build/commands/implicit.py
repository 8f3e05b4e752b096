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
from app.recommender.artifact import refuse_foreign_directory
from model_build.arguments import non_negative_float, positive_int
from model_build.catalogue import read_catalogue
from model_build.engines import als
from model_build.engines.als import Settings
from model_build.engines.als_options import (
    add_data,
    add_settings,
    read_data,
    read_strengths,
    settings_of,
    write_strengths,
)
from model_build.engines.base import add_engine
from model_build.errors import InputError
from model_build.implicit_feedback.grid import BY, Axes, Grid, best_of, read_rows
from model_build.implicit_feedback.grid import Row as GridRow
from model_build.implicit_feedback.masking import Masked, mask
from model_build.implicit_feedback.side_by_side import Row, compare
from model_build.implicit_feedback.strengths import halves, learn, tell
from model_build.tables import cell, print_table

HELP = "measure and tune recommending from what fans did"
MEASURES = ("auc", "precision@10", "map@10", "ndcg@10")
COLUMNS = (*MEASURES, *(f"new_{name}" for name in MEASURES))
TITLES = ("AUC", "P@10", "MAP@10", "NDCG@10")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(dest="part", required=True, metavar="WHAT")

    def part(name: str, help_text: str) -> argparse.ArgumentParser:
        made = parts.add_parser(name, help=help_text, description=help_text)
        add_data(made)
        made.add_argument("--seed", type=int, default=0, help="of what is hidden, and of fits")
        return made

    made = part("strengths", "search for what an entry's status is worth")
    add_settings(made)
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="strengths found")
    made.set_defaults(do=_strengths)

    made = part("grid", "measure ALS with combinations of settings; the best becomes the model")
    add_settings(made, only=("alpha",))
    axes = Axes()
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
    made.set_defaults(do=_grid)

    made = part("compare", "ALS beside popularity and Hakken's own ranking")
    add_settings(made)
    made.add_argument("--catalogue", type=Path, metavar="FILE", help="for Hakken's model")
    made.add_argument("--table", type=Path, metavar="DIR", help="a grid: its best is compared too")
    made.add_argument(
        "--learnt", type=Path, metavar="FILE", help="strengths to compare with the fixed ones"
    )
    made.set_defaults(do=_compare)


def run(arguments: argparse.Namespace) -> None:
    arguments.do(arguments)


def _strengths(arguments: argparse.Namespace) -> None:
    settings, masked = _prepared(arguments)
    validation, test = halves(masked.new)
    found = learn(masked, settings, validation, tell)
    learnt = replace(settings, strengths=found.strengths)
    write_strengths(arguments.out, found.strengths)
    print(f"Measured on {len(test):,} fans that the search did not look at.\n")
    _print(compare(masked, {"ALS, fixed": settings, "ALS, learnt": learnt}, hakken=False, new=test))


def _grid(arguments: argparse.Namespace) -> None:
    if (arguments.model is None) != (arguments.out is None):
        raise InputError("--model and --out go together: what to add the best one to, and where.")
    if arguments.out:
        refuse_foreign_directory(arguments.out)
    settings, masked = _prepared(arguments)
    axes = Axes(
        tuple(arguments.factors), tuple(arguments.regularization), tuple(arguments.iterations)
    )
    model = Model.open(arguments.model) if arguments.model else None
    start, new = time.perf_counter(), []

    def told(row: GridRow) -> None:
        new.append(row)
        print(_run_told(row), file=sys.stderr, flush=True)

    rows = Grid(arguments.table, masked, settings, axes).run(told)
    seconds = time.perf_counter() - start
    chosen = best_of(rows, settings)
    print(f"{len(rows)} runs in {arguments.table}, {len(new)} of them new, in {seconds:.1f} s")
    print(f"best by {BY}: {_run_told(max(rows, key=lambda row: row[BY]))}")
    if model:
        fitted = als.fit(masked.interactions, model.anime_id, chosen, progress=sys.stderr.isatty())
        manifest = add_engine(arguments.model, "als", fitted, arguments.out)
        print(f"model {manifest.version} in {arguments.out}")


def _compare(arguments: argparse.Namespace) -> None:
    settings, masked = _prepared(arguments)
    catalogue = read_catalogue(arguments.catalogue) if arguments.catalogue else None
    compared = {"ALS, fixed strengths": settings}
    if arguments.learnt:
        learnt = replace(settings, strengths=read_strengths(arguments.learnt))
        compared["ALS, learnt strengths"] = learnt
    if arguments.table:
        compared["ALS, best of the grid"] = best_of(*read_rows(arguments.table))
    _print(compare(masked, compared, catalogue))


def _prepared(arguments: argparse.Namespace) -> tuple[Settings, Masked]:
    settings = replace(settings_of(arguments), seed=arguments.seed)
    masked = mask(read_data(arguments), seed=arguments.seed)
    print(
        f"{len(masked.interactions):,} interactions; {len(masked.known):,} fans trained on, "
        f"{len(masked.new):,} others; {len(masked.anime_id):,} anime",
        file=sys.stderr,
    )
    return settings, masked


def _run_told(row: GridRow) -> str:
    named = f"{row['factors']:>3} factors, regularization {row['regularization']:g}, "
    measured = ", ".join(f"{name} {row[name]:.4f}" for name in COLUMNS)
    return f"{named}{row['iterations']} iterations: {measured}"


def _print(rows: Iterable[Row]) -> None:
    columns = ("recommender", *TITLES, *(f"{title}, new" for title in TITLES), "fit s")
    print_table(columns, map(_cells, rows))


def _cells(row: Row) -> list[str]:
    measured = (cell(row.measured[name], ".3f") for name in COLUMNS)
    return [f"{row.title:<22}", *measured, cell(row.fit_seconds, ".1f")]
