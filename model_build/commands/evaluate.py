"""Measure a model on fans that it was not trained on.

--lists holds what the model may see of each fan, --holdout what it must find; both have the columns
of a ratings file. `python -m model_build split` makes such files. With --ratings, the files that
the model was trained on, it is verified that no fan measured on is among them.
"""

from __future__ import annotations

from typing import Any

from model_build.evaluate.config import EvaluateConfig

CONFIG = EvaluateConfig


def run(config: EvaluateConfig) -> None:
    """Print the measures, as a table or as JSON."""
    from model_build.evaluate.job import evaluate_model, evaluation_json

    if config.as_json:
        print(evaluation_json(config))
        return
    measured = evaluate_model(config)
    for name, value in measured.items():
        if isinstance(value, int | float):
            interval = ", ".join(map(_format_metric, measured["ci"].get(name, ())))
            print(f"{name:<22} {_format_metric(value):>10}{f'   [{interval}]' if interval else ''}")
    for length, row in measured.get("by_length", {}).items():
        cells = ", ".join(f"{name} {_format_metric(value)}" for name, value in row.items())
        print(f"{length:>4} titles: {cells}")


def _format_metric(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
