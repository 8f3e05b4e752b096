"""Measure the engines from embeddings beside other predictors: scores, and what fans like.

Trains each on the same fans and asks it for the same hidden pairs. With --split fans, the default,
they are of fans that nobody was trained on, folded in from what is left of their lists (Surprise's
SVD, which cannot fold in, is trained on that, too). With --split pairs a fifth of everyone's pairs
is hidden, and the fans measured are among those trained on. Example:

    python -m model_build neural --ratings ratings.parquet --fans 1575 --seed 7
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field

from model_build.util.options import Config, InputFiles, Metavar, PositiveInt, named

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


class NeuralConfig(Config):
    """Options of `neural`; what of a network is not given stays at its engine's default."""

    ratings: InputFiles
    fans: PositiveInt = Field(1000, description="fans to measure on")
    seed: int = Field(0, description="of the fans and what is hidden")
    split: Literal["fans", "pairs"] = "fans"
    models: tuple[Annotated[PredictorName, Metavar("NAME")], ...] = Field(
        get_args(PredictorName),
        description=f"which to measure (default all: {', '.join(get_args(PredictorName))})",
    )
    epochs: PositiveInt | None = Field(None, description="at most, of each network")
    device: str | None = Field(None, description="cpu, cuda, ...; by default a GPU if there is one")
    as_json: bool = named("json", "all measures, as one JSON array", False)


CONFIG = NeuralConfig


def run(config: NeuralConfig) -> None:
    """Print the table, or its rows as JSON."""
    import sys

    from model_build.data.ratings import read_ratings
    from model_build.engines.settings import network_settings
    from model_build.evaluate.comparison import compare_predictors
    from model_build.util.markdown_tables import format_cell, format_cells, nan_to_null, print_table

    rows = compare_predictors(
        read_ratings(config.ratings),
        config.models,
        lambda defaults: network_settings(config, defaults),
        split=config.split,
        n_users=config.fans,
        seed=config.seed,
        progress=sys.stderr.isatty(),
    )
    if config.as_json:
        print(json.dumps([nan_to_null(_row_json(row)) for row in rows]))
        return
    print_table(
        ("predictor", *METRIC_COLUMNS.values(), "train s", "ms a fan"),
        (
            [
                row.title,
                *format_cells(row.measured, ".4f", *METRIC_COLUMNS),
                format_cell(row.train_seconds, ".1f"),
                format_cell(row.milliseconds_a_fan, ".2f"),
            ]
            for row in rows
        ),
    )


def _row_json(row: ComparisonRow) -> dict[str, object]:
    return {
        "name": row.name,
        "title": row.title,
        "train_seconds": row.train_seconds,
        "ms": row.milliseconds_a_fan,
        "told": {JSON_NAMES.get(name, name): value for name, value in row.measured.items()},
    }
