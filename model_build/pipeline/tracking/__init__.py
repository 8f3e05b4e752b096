"""Tell an experiment tracker what was built, with what and how good it is.

Nothing here may stop a build: `Guarded` says once that a tracker failed, and goes on without it.
"""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from model_build.errors import InputError
from model_build.pipeline.config import Config
from model_build.pipeline.sections import MLflow, Wandb
from model_build.pipeline.tracking.base import Guarded, Tracker, Tracking

__all__ = ["Tracker", "Tracking", "open_tracking"]

KEY = "WANDB_API_KEY"


def open_tracking(config: Config) -> Tracking:
    """The trackers that the configuration names; they are imported when a run begins.

    Raises:
        InputError: one of them is not installed.
    """
    work, chosen = config.work.absolute(), list[Guarded]()
    if config.mlflow is not None:
        _refuse_missing("mlflow", "alembic")
        chosen.append(Guarded("mlflow", partial(_mlflow, config.mlflow, work)))
    if config.wandb is not None:
        _refuse_missing("wandb")
        chosen.append(Guarded("wandb", partial(_wandb, config.wandb, work)))
    return Tracking(chosen)


def _mlflow(settings: MLflow, work: Path) -> Tracker:
    from model_build.pipeline.tracking.with_mlflow import MLflowTracker

    return MLflowTracker(settings, work)


def _wandb(settings: Wandb, work: Path) -> Tracker:
    from model_build.pipeline.tracking.with_wandb import WandbTracker

    mode = settings.mode or ("online" if os.environ.get(KEY) else "offline")
    return WandbTracker(settings, work, mode)


def _refuse_missing(*modules: str) -> None:
    for module in modules:
        spec = find_spec(module)
        if spec is None or spec.origin is None:  # a folder of that name is no library
            raise InputError(
                f"[{modules[0]}]: {module} is not installed; "
                "pip install -r requirements-tracking.txt."
            )
