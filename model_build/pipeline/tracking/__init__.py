"""Tell an experiment tracker what was built, with what and how good it is.

Nothing here may stop a build: `Guarded` says once that a tracker failed, and goes on without it.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from model_build.pipeline.config import PipelineConfig
from model_build.pipeline.sections import MLflowSection, WandbSection
from model_build.pipeline.tracking.base import ExperimentTracker, FailSafeTracker, TrackerGroup
from model_build.util.errors import InputError

__all__ = ["ExperimentTracker", "TrackerGroup", "open_tracking"]

WANDB_KEY_VARIABLE = "WANDB_API_KEY"


def open_tracking(config: PipelineConfig) -> TrackerGroup:
    """The trackers that the configuration names; they are imported when a run begins.

    Raises:
        InputError: one of them is not installed.
    """
    work, chosen = config.work.absolute(), list[FailSafeTracker]()
    if config.mlflow is not None:
        _require_packages("mlflow", "alembic")
        chosen.append(FailSafeTracker("mlflow", partial(_open_mlflow, config.mlflow, work)))
    if config.wandb is not None:
        _require_packages("wandb")
        chosen.append(FailSafeTracker("wandb", partial(_open_wandb, config.wandb, work)))
    return TrackerGroup(chosen)


def _open_mlflow(settings: MLflowSection, work: Path) -> ExperimentTracker:
    from model_build.pipeline.tracking.with_mlflow import MLflowTracker

    return MLflowTracker(settings, work)


def _open_wandb(settings: WandbSection, work: Path) -> ExperimentTracker:
    from model_build.pipeline.tracking.with_wandb import WandbTracker

    mode = settings.mode or ("online" if os.environ.get(WANDB_KEY_VARIABLE) else "offline")
    return WandbTracker(settings, work, mode)


def _require_packages(*modules: str) -> None:
    for module in modules:
        spec = find_spec(module)
        if spec is None or spec.origin is None:  # a folder of that name is no library
            raise InputError(
                f"[{modules[0]}]: {module} is not installed; "
                "pip install -r requirements-tracking.txt."
            )
