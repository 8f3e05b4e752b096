"""What a build was configured with and what it made, as experiment trackers take it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from model_build.pipeline.config import RECOMMENDING, SEED_KEY, PipelineConfig
from model_build.pipeline.plan import (
    COMPARISON_FILE,
    EVALUATION_FILE,
    GRID_FOLDER,
    MODEL_FOLDER,
    NEURAL_FILE,
    REPORT_FILE,
    SETTINGS_FILE,
    STRENGTHS_FILE,
    engine_evaluation_file,
    implicit_file,
    recommendations_file,
)
from model_build.pipeline.task import PipelineTask
from model_build.tracking.trackers import Parameters, Tracking
from model_build.util.options import given_options


def config_parameters(config: PipelineConfig) -> Parameters:
    """What was configured, by section and key."""
    found: dict[str, str | int | float | bool] = {SEED_KEY: config.seed}
    for name, section in config.sections().items():
        for option, value in given_options(section).items():
            plain = isinstance(value, str | int | float)
            found[f"{name}.{option.key}"] = value if plain else str(value)
    return found


def track_results(
    tracking: Tracking, config: PipelineConfig, finished: Sequence[PipelineTask]
) -> None:
    """Report all that these tasks have made, also where it was done in an earlier run."""
    from app.recommender.artifact import read_manifest
    from model_build.artifact.metrics import MODEL_CARD_FILE
    from model_build.tuning.als_grid import SELECTION_METRIC, TABLE_FILE

    work = config.work
    made = {path for task in finished for path in task.outputs().values()}
    measures = {EVALUATION_FILE: "evaluate"}
    measures |= {engine_evaluation_file(name): f"evaluate.{name}" for name in config.engines}
    tables = {COMPARISON_FILE: "compare", NEURAL_FILE: "neural"}
    tables |= {implicit_file(part): f"implicit.{part}" for part in config.implicit}
    picks = {recommendations_file(name): name for name in RECOMMENDING}

    def found(names: Mapping[str, str]) -> dict[str, Any]:
        """What files of these names hold, by what they are."""
        there = {name: what for name, what in names.items() if work / name in made}
        return {what: json.loads((work / name).read_text("utf-8")) for name, what in there.items()}

    metrics: dict[str, float] = {}
    for prefix, measured in found(measures).items():
        metrics |= _prefixed_numbers(prefix, measured)
    compared = found(tables)
    for prefix, rows in compared.items():
        if prefix == "implicit.grid":  # all of it is a table
            known = [row for row in rows if row["measured"][SELECTION_METRIC] is not None]
            best = max(known or rows[:1], key=lambda row: row["measured"][SELECTION_METRIC] or 0.0)
            rows = [{**best, "name": "best"}]
        for row in rows:
            metrics |= _prefixed_numbers(f"{prefix}.{row['name']}", {**row, **_measured(row)})
    tracking.each(lambda tracker: tracker.log_metrics(metrics))
    shown = {name: _recommendation_rows(answer) for name, answer in found(picks).items()}
    shown |= {
        name.replace(".", "-"): [_flat({**row, **_measured(row)}) for row in rows]
        for name, rows in compared.items()
    }
    for name, rows in shown.items():
        tracking.each(lambda tracker: tracker.log_table(name, rows))  # noqa: B023
    results = (*measures, *picks, *tables, SETTINGS_FILE, STRENGTHS_FILE, REPORT_FILE)
    files = [work / name for name in results if work / name in made]
    files += [work / GRID_FOLDER / TABLE_FILE] if work / GRID_FOLDER in made else []
    model = work / MODEL_FOLDER
    if model in made:
        manifest = read_manifest(model)
        files += [model / MODEL_CARD_FILE] if MODEL_CARD_FILE in manifest.files else []
        tracking.each(
            lambda tracker: tracker.log_model(model, manifest.version, manifest.hyperparameters)
        )
    for path in files:
        tracking.each(lambda tracker: tracker.log_file(path))  # noqa: B023


def _recommendation_rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row an anime, with its numbers and names; what is nested is in the file."""
    rows = answer.get("recommendations", answer.get("similar", []))
    return [_flat(row) for row in rows]


def _measured(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The measures of a row of a comparison; `neural` has another name for them."""
    measured: Mapping[str, Any] = row["told"] if "told" in row else row["measured"]
    return measured


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: "; ".join(value) if isinstance(value, list) else value
        for name, value in row.items()
        if isinstance(value, str | int | float)
        or (isinstance(value, list) and all(isinstance(part, str) for part in value))
    }


def _prefixed_numbers(prefix: str, measures: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"{prefix}.{name}": float(value)
        for name, value in measures.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
