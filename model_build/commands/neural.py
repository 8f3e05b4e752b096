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
from typing import TYPE_CHECKING

from model_build.evaluate.config import NeuralConfig

if TYPE_CHECKING:
    from model_build.evaluate.comparison import ComparisonRow

METRIC_COLUMNS = {
    "mse": "score loss",
    "rmse": "RMSE",
    "log_loss": "interaction loss",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "auc": "AUC",
}
CONFIG = NeuralConfig


def run(config: NeuralConfig) -> None:
    """Print the table, or its rows as JSON; what is finished is printed whatever comes after."""
    from model_build.evaluate.job import measure_predictors, predictor_row_json
    from model_build.util.markdown_tables import print_table

    rows = measure_predictors(config)
    if not config.as_json:
        columns = ("predictor", *METRIC_COLUMNS.values(), "train s", "ms a fan")
        print_table(columns, map(_row_cells, rows))
        return
    finished: list[dict[str, object]] = []
    try:
        finished.extend(map(predictor_row_json, rows))
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
