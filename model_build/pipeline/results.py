"""What a work folder holds of results, as an experiment tracker takes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.recommender.artifact import read_manifest
from model_build.model_card import CARD
from model_build.pipeline.config import SEED, Config
from model_build.pipeline.plan import COMPARISON, MEASURES, MODEL, REPORT, measures_of
from model_build.pipeline.task import Task
from model_build.pipeline.tracking import Tracking


def parameters(config: Config) -> dict[str, str | int | float | bool]:
    """What was configured, by section and key."""
    found: dict[str, str | int | float | bool] = {SEED: config.seed}
    tables: dict[str, Mapping[str, Any]] = {
        "data": config.data.model_dump(exclude_none=True),
        **config.sections,
        **{f"engines.{name}": options for name, options in config.engines.items()},
    }
    for section, options in tables.items():
        for key, value in options.items():
            found[f"{section}.{key}"] = str(value) if isinstance(value, list) else value
    return found


def track(tracking: Tracking, config: Config, done: Sequence[Task]) -> None:
    """Tell of all that these tasks have made, also where it was done in an earlier run."""
    work, engines = config.work, config.engines
    made = {path for task in done for path in task.written().values()}
    files = {work / MEASURES: "evaluate"}
    files |= {work / measures_of(name): f"evaluate.{name}" for name in engines}
    for file, prefix in files.items():
        if file in made:
            tracking.metrics(_numbers(prefix, _read(file)))
    if work / COMPARISON in made:
        for row in _read(work / COMPARISON):
            tracking.metrics(_numbers(f"compare.{row['name']}", {**row, **row["measured"]}))
    for file in (*files, work / COMPARISON, work / REPORT):
        if file in made:
            tracking.file(file)
    model = work / MODEL
    if model in made:
        manifest = read_manifest(model)
        if CARD in manifest.files:
            tracking.file(model / CARD)
        tracking.model(model, manifest.version, manifest.hyperparameters)


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _numbers(prefix: str, measures: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"{prefix}.{name}": float(value)
        for name, value in measures.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
