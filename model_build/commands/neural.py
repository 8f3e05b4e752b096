r"""Measure the engines from embeddings beside other predictors: scores, and what fans like.

Trains each on the same fans and asks it for the same hidden pairs. With --split fans, the default,
they are of fans that nobody was trained on, folded in from what is left of their lists (Surprise's
SVD, which cannot fold in, is trained on that, too). With --split pairs a fifth of everyone's pairs
is hidden, and the fans measured are among those trained on. Example:

    python -m model_build neural --ratings ratings.parquet --fans 1575 --seed 7
    python -m model_build neural --ratings ratings.parquet --models mf mlp hybrid \
        --recipe as-described

What needs a package that is not installed is said before anything is trained, and has a row that
says so.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field

from model_build.engines.config import NetworkOptions
from model_build.util.options import InputFiles, Metavar, PositiveInt, named

if TYPE_CHECKING:
    from model_build.evaluate.comparison import ComparisonRow

PredictorName = Literal["mf", "mlp", "hybrid", "cosine", "kernel", "svd", "knn-baseline", "match"]
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


class NeuralConfig(NetworkOptions):
    """Options of `neural`; what of a network is not given stays at its engine's default."""

    ratings: InputFiles
    fans: PositiveInt = Field(1000, description="fans to measure on")
    seed: int = Field(0, description="of the fans and what is hidden")
    split: Literal["fans", "pairs"] = "fans"
    models: tuple[Annotated[PredictorName, Metavar("NAME")], ...] = Field(
        get_args(PredictorName),
        description=f"which to measure (default all: {', '.join(get_args(PredictorName))})",
    )
    as_json: bool = named("json", "all measures, as one JSON array", False)


CONFIG = NeuralConfig


def run(config: NeuralConfig) -> None:
    """Print the table, or its rows as JSON; what is finished is printed whatever comes after."""
    import sys

    from model_build.data.ratings import read_ratings
    from model_build.engines.settings import network_settings
    from model_build.evaluate.comparison import compare_predictors, missing_requirements
    from model_build.util.markdown_tables import nan_to_null, print_table

    for reason in sorted(set(missing_requirements(config.models).values())):
        print(f"not measured: {reason}", file=sys.stderr)
    rows = compare_predictors(
        read_ratings(config.ratings),
        config.models,
        lambda name, defaults: network_settings(config, name, defaults),
        split=config.split,
        n_users=config.fans,
        seed=config.seed,
        progress=sys.stderr.isatty(),
    )
    if not config.as_json:
        columns = ("predictor", *METRIC_COLUMNS.values(), "train s", "ms a fan")
        print_table(columns, map(_row_cells, rows))
        return
    finished: list[dict[str, object]] = []
    try:
        finished.extend(nan_to_null(_row_json(row)) for row in rows)
    finally:
        if finished:
            print(json.dumps(finished))


def _row_cells(row: ComparisonRow) -> list[str]:
    from model_build.util.markdown_tables import format_cell, format_cells

    measured = {name: row.measured.get(name, math.nan) for name in METRIC_COLUMNS}
    return [
        f"{row.title}: {row.missing}" if row.missing else row.title,
        *format_cells(measured, ".4f", *METRIC_COLUMNS),
        format_cell(row.train_seconds, ".1f"),
        format_cell(row.milliseconds_a_fan, ".2f"),
    ]


def _row_json(row: ComparisonRow) -> dict[str, object]:
    return {
        "name": row.name,
        "title": row.title,
        "missing": row.missing or None,
        "train_seconds": row.train_seconds,
        "ms": row.milliseconds_a_fan,
        "told": {JSON_NAMES.get(name, name): value for name, value in row.measured.items()},
    }
