"""What a work folder holds of results, as an experiment tracker takes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.recommender.artifact import read_manifest
from model_build.artifact.metrics import MODEL_CARD_FILE
from model_build.pipeline.config import SEED_KEY, PipelineConfig
from model_build.pipeline.plan import (
    COMPARISON_FILE,
    EVALUATION_FILE,
    MODEL_FOLDER,
    REPORT_FILE,
    engine_evaluation_file,
)
from model_build.pipeline.task import PipelineTask
from model_build.pipeline.tracking import TrackerGroup


def config_parameters(config: PipelineConfig) -> dict[str, str | int | float | bool]:
    """What was configured, by section and key."""
    found: dict[str, str | int | float | bool] = {SEED_KEY: config.seed}
    tables: dict[str, Mapping[str, Any]] = {
        "data": config.data.model_dump(exclude_none=True),
        **config.sections,
        **{f"engines.{name}": options for name, options in config.engines.items()},
    }
    for section, options in tables.items():
        for key, value in options.items():
            found[f"{section}.{key}"] = str(value) if isinstance(value, list) else value
    return found


def track_results(
    tracking: TrackerGroup, config: PipelineConfig, finished: Sequence[PipelineTask]
) -> None:
    """Tell of all that these tasks have made, also where it was done in an earlier run."""
    work, engines = config.work, config.engines
    made = {path for task in finished for path in task.output_paths().values()}
    files = {work / EVALUATION_FILE: "evaluate"}
    files |= {work / engine_evaluation_file(name): f"evaluate.{name}" for name in engines}
    for file, prefix in files.items():
        if file in made:
            tracking.log_metrics(_prefixed_numbers(prefix, _read_json(file)))
    if work / COMPARISON_FILE in made:
        for row in _read_json(work / COMPARISON_FILE):
            tracking.log_metrics(
                _prefixed_numbers(f"compare.{row['name']}", {**row, **row["measured"]})
            )
    for file in (*files, work / COMPARISON_FILE, work / REPORT_FILE):
        if file in made:
            tracking.log_file(file)
    model = work / MODEL_FOLDER
    if model in made:
        manifest = read_manifest(model)
        if MODEL_CARD_FILE in manifest.files:
            tracking.log_file(model / MODEL_CARD_FILE)
        tracking.log_model(model, manifest.version, manifest.hyperparameters)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _prefixed_numbers(prefix: str, measures: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"{prefix}.{name}": float(value)
        for name, value in measures.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
