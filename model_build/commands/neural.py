"""Measure the engines from embeddings beside other predictors: scores, and what fans like.

Trains each on the same fans and asks it for the same hidden pairs. With --split fans, the default,
they are of fans that nobody was trained on, folded in from what is left of their lists (Surprise's
SVD, which cannot fold in, is trained on that, too). With --split pairs a fifth of everyone's pairs
is hidden, and the fans measured are among those trained on. Example:

    python -m model_build neural --ratings ratings.parquet --fans 1575 --seed 7
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_build.commands.arguments import non_negative_float, positive_int
from model_build.data.ratings import read_ratings
from model_build.evaluate.comparison import PREDICTOR_NAMES, ComparisonRow, compare_predictors
from model_build.util.markdown_tables import format_cell, nan_to_null, print_table

if TYPE_CHECKING:
    from model_build.engines.network_training import NetworkSettings

HELP = "measure the engines from embeddings beside others"
METRIC_COLUMNS = {
    "mse": "score loss",
    "rmse": "RMSE",
    "log_loss": "interaction loss",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "auc": "AUC",
}
JSON_NAMES = {"mse": "loss", "log_loss": "entropy"}
"""Metrics that have another name in the JSON."""
NETWORK_OPTIONS: Mapping[str, tuple[object, str]] = {
    "size": (positive_int, "numbers an embedding has"),
    "dropout": (
        non_negative_float,
        "share of an embedding (of a list, for kernel) that is dropped in training, below 1",
    ),
    "decay": (non_negative_float, "how strongly embeddings are held to 0, or to where they start"),
    "batch": (positive_int, "pairs of a fan and an anime a step"),
    "rate": (non_negative_float, "largest learning rate"),
    "schedule": (str, "of the learning rate: constant, linear, cosine or warmup"),
    "initialiser": (
        str,
        "of the embeddings: normal, uniform, xavier or he (kernel starts from the data)",
    ),
    "epochs": (positive_int, "at most"),
    "patience": (positive_int, "looks at the validation fans without gain before stopping"),
    "validation": (positive_int, "fans left out to stop by"),
    "device": (str, "cpu, cuda, ...; by default a GPU if there is one"),
}


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Options of a network and its training; what is not given stays at the engine's default."""
    for name, (kind, told) in NETWORK_OPTIONS.items():
        choices = OPTION_CHOICES.get(name)
        parser.add_argument(
            f"--{name}",
            type=kind,  # type: ignore[arg-type]
            choices=choices,
            metavar=None if choices else name.upper(),
            help=told,
        )


OPTION_CHOICES = {
    "schedule": ("constant", "linear", "cosine", "warmup"),
    "initialiser": ("normal", "uniform", "xavier", "he"),
}


def network_settings_from(
    arguments: argparse.Namespace, defaults: NetworkSettings
) -> NetworkSettings:
    """The defaults with what was given."""
    names = {field.name for field in fields(defaults)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    return replace(defaults, **{name: value for name, value in given.items() if value is not None})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ratings", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--fans", type=positive_int, default=1000, help="fans to measure on")
    parser.add_argument("--seed", type=int, default=0, help="of the fans and what is hidden")
    parser.add_argument("--split", choices=("fans", "pairs"), default="fans")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=PREDICTOR_NAMES,
        default=PREDICTOR_NAMES,
        metavar="NAME",
        help=f"which to measure (default all: {', '.join(PREDICTOR_NAMES)})",
    )
    parser.add_argument("--epochs", type=positive_int, help="at most, of each network")
    parser.add_argument("--device", help="cpu, cuda, ...; by default a GPU if there is one")
    parser.add_argument("--json", action="store_true", help="all measures, as one JSON array")


def run(arguments: argparse.Namespace) -> None:
    rows = compare_predictors(
        read_ratings(arguments.ratings),
        arguments.models,
        lambda defaults: network_settings_from(arguments, defaults),
        split=arguments.split,
        n_users=arguments.fans,
        seed=arguments.seed,
        progress=sys.stderr.isatty(),
    )
    if arguments.json:
        print(json.dumps([nan_to_null(_row_json(row)) for row in rows]))
        return
    print_table(
        ("predictor", *METRIC_COLUMNS.values(), "train s", "ms a fan"), map(_table_cells, rows)
    )


def _row_json(row: ComparisonRow) -> dict[str, object]:
    return {
        "name": row.name,
        "title": row.title,
        "train_seconds": row.train_seconds,
        "ms": row.milliseconds_a_fan,
        "told": {JSON_NAMES.get(name, name): value for name, value in row.measured.items()},
    }


def _table_cells(row: ComparisonRow) -> list[str]:
    measured = (format_cell(row.measured[name], ".4f") for name in METRIC_COLUMNS)
    return [
        row.title,
        *measured,
        format_cell(row.train_seconds, ".1f"),
        format_cell(row.milliseconds_a_fan, ".2f"),
    ]
