"""Runs in MLflow: a SQLite file of our own, or any tracking server."""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path

from model_build.pipeline.sections import MLflowSection
from model_build.pipeline.tracking.base import MetricValues, Parameters

# Before mlflow is imported: it reports to nobody, and a server that does not answer is not
# waited for long.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")

from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

INVALID_CHARACTERS = re.compile(r"[^\w\-. :/]")
MAX_BATCH = 100
"""Parameters and metrics that go in one call."""


class MLflowTracker:
    """One run in MLflow."""

    def __init__(self, settings: MLflowSection, work: Path) -> None:
        self._settings, self._work = settings, work
        self._run = ""

    def start_run(self, parameters: Parameters) -> None:
        """Create the run; its experiment, too, if it is the first."""
        for name in ("alembic", "mlflow"):
            logging.getLogger(name).setLevel(logging.WARNING)
        local = self._settings.uri is None
        uri = self._settings.uri or f"sqlite:///{self._work / 'mlflow.db'}"
        self._client = MlflowClient(uri)
        found = self._client.get_experiment_by_name(self._settings.experiment)
        files = (self._work / "mlflow-files").as_uri() if local else None
        experiment = (
            found.experiment_id
            if found
            else self._client.create_experiment(self._settings.experiment, files)
        )
        run = self._client.create_run(experiment)
        self._run, self._files = run.info.run_id, run.info.artifact_uri
        self._log_parameters(parameters)

    def log_metrics(self, metrics: MetricValues) -> None:
        """An @ becomes _at_, as MLflow takes none."""
        now = int(time.time() * 1000)
        rows = [Metric(_valid_name(name), value, now, 0) for name, value in metrics.items()]
        for first in range(0, len(rows), MAX_BATCH):
            self._client.log_batch(self._run, metrics=rows[first : first + MAX_BATCH])

    def log_file(self, path: Path) -> None:
        """Keep a file with the run."""
        self._client.log_artifact(self._run, str(path))

    def log_model(self, folder: Path, version: str, settings: Parameters) -> None:
        """Keep the model with the run, and register it as a new version."""
        self._log_parameters({f"model.{name}": value for name, value in settings.items()})
        self._client.set_tag(self._run, "model_version", version)
        if not self._settings.model_files:
            return
        self._client.log_artifacts(self._run, str(folder), "model")
        name = self._settings.register_as
        if not name:
            return
        try:
            self._client.get_registered_model(name)
        except MlflowException:
            self._client.create_registered_model(name)
        self._client.create_model_version(
            name, f"{self._files}/model", self._run, tags={"version": version}
        )

    def end_run(self, *, succeeded: bool) -> None:
        """FINISHED or FAILED."""
        self._client.set_terminated(self._run, "FINISHED" if succeeded else "FAILED")

    def _log_parameters(self, parameters: Parameters) -> None:
        rows = [Param(_valid_name(name), str(value)[:500]) for name, value in parameters.items()]
        for first in range(0, len(rows), MAX_BATCH):
            self._client.log_batch(self._run, params=rows[first : first + MAX_BATCH])


def _valid_name(name: str) -> str:
    return INVALID_CHARACTERS.sub("_", name.replace("@", "_at_"))
