"""Measure a model on fans that it was not trained on.

--lists holds what the model may see of each fan, --holdout what it must find; both have the columns
of a ratings file. `python -m model_build split` makes such files. With --ratings, the files that
the model was trained on, it is verified that no fan measured on is among them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from app.catalogue import Catalogue
from app.recommender import Model, SortOrder
from model_build.commands.arguments import add_engine_option, require_engine
from model_build.data.holdout import check_no_leakage, join_holdout
from model_build.data.ratings import ratings_fingerprint, read_evaluation_ratings, read_ratings
from model_build.evaluate.evaluation import evaluate, evaluate_by_length, franchises_and_genres
from model_build.evaluate.ranking import EvaluationItems, model_ranker
from model_build.util.errors import InputError
from model_build.util.markdown_tables import nan_to_null

HELP = "measure a model on held-out fans"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--lists", type=Path, required=True, metavar="FILE", help="what is seen")
    parser.add_argument(
        "--holdout", type=Path, required=True, metavar="FILE", help="what is hidden"
    )
    parser.add_argument(
        "--ratings",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="what the model was trained on, to verify that no fan measured on is in it",
    )
    parser.add_argument("--order", type=SortOrder, choices=list(SortOrder), default=SortOrder.MATCH)
    add_engine_option(parser)
    parser.add_argument(
        "--by-length", action="store_true", help="also with lists cut to 5, 20, 100 and 500 titles"
    )
    parser.add_argument("--seed", type=int, default=0, help="of resamples and of cut lists")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(arguments: argparse.Namespace) -> None:
    lists, holdout = (
        read_evaluation_ratings(arguments.lists),
        read_evaluation_ratings(arguments.holdout),
    )
    fans = join_holdout(lists, holdout)
    model = Model.open(arguments.model)
    require_engine(model, arguments.engine)
    if arguments.ratings:
        training = read_ratings(arguments.ratings)
        if ratings_fingerprint(training) != model.manifest.dataset.fingerprint:
            names = ", ".join(str(path) for path in arguments.ratings)
            raise InputError(f"{names}: {arguments.model} was trained on other ratings than these.")
        check_no_leakage(training, lists, holdout)
    franchise, genres = franchises_and_genres(Catalogue.open(model.catalogue_path), model.anime_id)
    running = {"seed": arguments.seed, "progress": sys.stderr.isatty()}
    ranker = model_ranker(model, arguments.order, arguments.engine)
    measured = evaluate(model, franchise, fans, genres=genres, ranker=ranker, **running)
    if arguments.by_length:
        anime = EvaluationItems.from_model(model, franchise, genres)
        measured["by_length"] = evaluate_by_length(ranker, anime, fans, **running)
    if arguments.json:
        print(json.dumps(nan_to_null(measured)))
    else:
        _print_metrics(measured)


def _print_metrics(measured: dict[str, Any]) -> None:
    for name, value in measured.items():
        if isinstance(value, int | float):
            low, high = measured["ci"].get(name, (None, None))
            interval = (
                f"   [{_format_metric(low)}, {_format_metric(high)}]" if low is not None else ""
            )
            print(f"{name:<22} {_format_metric(value):>10}{interval}")
    for length, row in measured.get("by_length", {}).items():
        print(
            f"{length:>4} titles: " + ", ".join(f"{k} {_format_metric(v)}" for k, v in row.items())
        )


def _format_metric(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
