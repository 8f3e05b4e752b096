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
    MODEL_FOLDER,
    REPORT_FILE,
    SETTINGS_FILE,
    engine_evaluation_file,
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

    work = config.work
    made = {path for task in finished for path in task.outputs().values()}
    prefixes = {work / EVALUATION_FILE: "evaluate"}
    prefixes |= {work / engine_evaluation_file(name): f"evaluate.{name}" for name in config.engines}
    metrics: dict[str, float] = {}
    for file, prefix in prefixes.items():
        if file in made:
            metrics |= _prefixed_numbers(prefix, json.loads(file.read_text("utf-8")))
    if work / COMPARISON_FILE in made:
        for row in json.loads((work / COMPARISON_FILE).read_text("utf-8")):
            metrics |= _prefixed_numbers(f"compare.{row['name']}", {**row, **row["measured"]})
    tracking.each(lambda tracker: tracker.log_metrics(metrics))
    found = [name for name in RECOMMENDING if work / recommendations_file(name) in made]
    for name in found:
        rows = _recommendation_rows(
            json.loads((work / recommendations_file(name)).read_text("utf-8"))
        )
        tracking.each(lambda tracker: tracker.log_table(name, rows))  # noqa: B023
    if work / COMPARISON_FILE in made:
        rows = _comparison_rows(json.loads((work / COMPARISON_FILE).read_text("utf-8")))
        tracking.each(lambda tracker: tracker.log_table("compare", rows))
    recommended = [work / recommendations_file(name) for name in found]
    results = (
        *prefixes,
        *recommended,
        work / SETTINGS_FILE,
        work / COMPARISON_FILE,
        work / REPORT_FILE,
    )
    files = [file for file in results if file in made]
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


def _comparison_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_flat({**row, **row["measured"]}) for row in rows]


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
