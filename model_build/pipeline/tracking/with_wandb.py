"""Runs in Weights & Biases: at their server, or in a folder that `wandb sync` sends later."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from model_build.pipeline.sections import WandbSection
from model_build.pipeline.tracking.base import MetricValues, Parameters

os.environ["WANDB_ERROR_REPORTING"] = "false"  # before wandb is imported

import wandb

INIT_TIMEOUT_SECONDS = 30.0


class WandbTracker:
    """One run in Weights & Biases."""

    def __init__(
        self, settings: WandbSection, work: Path, mode: Literal["online", "offline"]
    ) -> None:
        self._settings, self._folder, self._mode = settings, work / "wandb", mode
        self._run: Any = None

    def start_run(self, parameters: Parameters) -> None:
        """Start the run. What is kept for it stays in the work folder."""
        for variable in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"):
            os.environ.setdefault(variable, str(self._folder))
        self._folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=self._settings.project,
            entity=self._settings.entity,
            config=dict(parameters),
            dir=str(self._folder.parent),
            settings=wandb.Settings(
                mode=self._mode,
                init_timeout=INIT_TIMEOUT_SECONDS,
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                x_disable_meta=True,
                x_disable_stats=True,
            ),
        )

    def log_metrics(self, metrics: MetricValues) -> None:
        """In the run's summary: each is measured once."""
        self._run.summary.update(dict(metrics))

    def log_file(self, path: Path) -> None:
        """Keep a copy of a file with the run."""
        artifact = wandb.Artifact(path.stem, "result")
        artifact.add_file(str(path))
        self._run.log_artifact(artifact)

    def log_model(self, folder: Path, version: str, settings: Parameters) -> None:
        """Keep the model with the run, if that is wanted."""
        self._run.config.update({f"model.{name}": value for name, value in settings.items()})
        self._run.summary["model_version"] = version
        if self._settings.model_files:
            artifact = wandb.Artifact("model", "model", metadata={"version": version})
            for file in sorted(folder.iterdir()):  # add_dir would print
                artifact.add_file(str(file))
            self._run.log_artifact(artifact)

    def end_run(self, *, succeeded: bool) -> None:
        """With exit status 0 or 1."""
        self._run.finish(exit_code=0 if succeeded else 1)
