"""Runs in MLflow and in Weights & Biases.

MLflow writes a SQLite file of our own or asks any tracking server; Weights & Biases sends to its
server, or keeps a folder that `wandb sync` sends later. Both are imported when a run begins.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field

from model_build.tracking.pyfunc_files import write_pyfunc_files
from model_build.util.options import Config
from model_build.util.temporary_folders import temporary_folder
from model_build.util.tracker_clients import (
    WANDB_KEY_VARIABLE,
    import_wandb,
    open_mlflow,
    require_packages,
)

Parameters = Mapping[str, str | int | float | bool]
MetricValues = Mapping[str, float]
TableRows = Sequence[Mapping[str, Any]]

WANDB_INIT_SECONDS = 30.0
MLFLOW_INVALID_CHARACTERS = re.compile(r"[^\w\-. :/]")
MLFLOW_VALUE_LENGTH = 500


class MLflowOptions(Config):
    """Track every run with MLflow."""

    uri: str | None = Field(
        None,
        description="a tracking server (default: a SQLite file in the work folder)",
        examples=["http://127.0.0.1:5000"],
    )
    experiment: str = Field("hakken", description="what runs are filed under")
    register_as: str = Field("hakken", description="name of the model in the registry; empty: none")
    model_files: bool = Field(True, description="whether the model itself is kept with the run")


class WandbOptions(Config):
    """Track every run with Weights & Biases."""

    project: str = Field("hakken", description="what runs are filed under")
    entity: str | None = Field(None, description="the user or team that it belongs to")
    mode: Literal["online", "offline"] | None = Field(
        None,
        description="online or offline (default: online where WANDB_API_KEY is set)",
        examples=["offline"],
    )
    model_files: bool = Field(False, description="whether the model itself is kept with the run")


def mlflow_uri(options: MLflowOptions, work: Path) -> str:
    """Return where runs are kept: the server that is named, or a file in the work folder."""
    return options.uri or f"sqlite:///{work.absolute() / 'mlflow.db'}"


class ExperimentTracker(Protocol):
    """One run: what was configured, what was measured, result files and the model."""

    def start_run(self, parameters: Parameters) -> None:
        """Start the run, with what was configured."""

    def log_metrics(self, metrics: MetricValues) -> None:
        """Keep what was measured."""

    def log_file(self, path: Path) -> None:
        """Keep a file with the run."""

    def log_table(self, name: str, rows: TableRows) -> None:
        """Keep rows as a table that can be looked at with the run."""

    def log_model(self, folder: Path, version: str, parameters: Parameters) -> None:
        """Keep the model that was made, and what it was made with."""

    def end_run(self, *, succeeded: bool) -> None:
        """End the run."""


class Tracking:
    """All trackers of a run, by name; opened by its start.

    The failure of one is said once, on standard error, and never passed on: it is left alone.
    """

    def __init__(self, trackers: Mapping[str, Callable[[], ExperimentTracker]]) -> None:
        self._closed, self._open = dict(trackers), dict[str, ExperimentTracker]()
        self.began = False

    def start_run(self, parameters: Parameters) -> None:
        """Start the run, unless it has begun."""
        if not self.began:
            self.began = True
            for name, open_tracker in self._closed.items():
                self._guard(name, lambda: self._start(name, open_tracker(), parameters))  # noqa: B023

    def each(self, action: Callable[[ExperimentTracker], None]) -> None:
        """Do something with each tracker that has not failed."""
        for name, tracker in list(self._open.items()):
            self._guard(name, lambda: action(tracker))  # noqa: B023

    def _start(self, name: str, tracker: ExperimentTracker, parameters: Parameters) -> None:
        self._open[name] = tracker
        tracker.start_run(parameters)

    def _guard(self, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # whatever a tracker does, the build goes on
            self._open.pop(name, None)
            words = " ".join(str(error).split()) or type(error).__name__
            print(f"{name}: {words[:300]}; the build goes on untracked.", file=sys.stderr)


class _MLflowTracker:
    def __init__(self, options: MLflowOptions, work: Path) -> None:
        self._options, self._work = options, work
        self._client = open_mlflow(mlflow_uri(options, work))
        self._run = ""
        self._tables: list[dict[str, str]] = []

    def start_run(self, parameters: Parameters) -> None:
        name, local = self._options.experiment, self._options.uri is None
        found = self._client.get_experiment_by_name(name)
        files = (self._work / "mlflow-files").as_uri() if local else None
        experiment = found.experiment_id if found else self._client.create_experiment(name, files)
        run = self._client.create_run(experiment)
        self._run, self._files = run.info.run_id, run.info.artifact_uri
        self._log_parameters(parameters)

    def log_metrics(self, metrics: MetricValues) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [Metric(_mlflow_name(name), value, now, 0) for name, value in metrics.items()]
        self._client.log_batch(self._run, metrics=rows)

    def log_file(self, path: Path) -> None:
        self._client.log_artifact(self._run, str(path))

    def log_table(self, name: str, rows: TableRows) -> None:
        # As MlflowClient.log_table writes it, which asks for pandas.
        columns, file = _columns(rows), f"{name}-table.json"
        data = [[row.get(column) for column in columns] for row in rows]
        self._client.log_dict(self._run, {"columns": columns, "data": data}, file)
        self._tables.append({"path": file, "type": "table"})
        self._client.set_tag(self._run, "mlflow.loggedArtifacts", json.dumps(self._tables))

    def log_model(self, folder: Path, version: str, parameters: Parameters) -> None:
        from mlflow import __version__ as mlflow_version
        from mlflow.exceptions import MlflowException

        self._log_parameters({f"model.{name}": value for name, value in parameters.items()})
        self._client.set_tag(self._run, "model_version", version)
        if not self._options.model_files:
            return
        self._client.log_artifacts(self._run, str(folder), "model")
        with temporary_folder() as described:
            write_pyfunc_files(described, mlflow_version)
            self._client.log_artifacts(self._run, str(described), "model")
        name = self._options.register_as
        if name:
            with suppress(MlflowException):  # it is registered
                self._client.create_registered_model(name)
            source, tags = f"{self._files}/model", {"version": version}
            self._client.create_model_version(name, source, self._run, tags=tags)

    def end_run(self, *, succeeded: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if succeeded else "FAILED")

    def _log_parameters(self, parameters: Parameters) -> None:
        from mlflow.entities import Param

        rows = [
            Param(_mlflow_name(name), str(value)[:MLFLOW_VALUE_LENGTH])
            for name, value in parameters.items()
        ]
        self._client.log_batch(self._run, params=rows)


def _columns(rows: TableRows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _mlflow_name(name: str) -> str:
    return MLFLOW_INVALID_CHARACTERS.sub("_", name.replace("@", "_at_"))


class _WandbTracker:
    def __init__(self, options: WandbOptions, work: Path) -> None:
        self._options, self._folder = options, work / "wandb"
        self._wandb = import_wandb(self._folder)
        self._run: Any = None

    def start_run(self, parameters: Parameters) -> None:
        has_key = bool(os.environ.get(WANDB_KEY_VARIABLE))
        settings = self._wandb.Settings(
            mode=self._options.mode or ("online" if has_key else "offline"),
            init_timeout=WANDB_INIT_SECONDS,
            console="off",
            silent=True,
            disable_git=True,
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
        )
        self._run = self._wandb.init(
            project=self._options.project,
            entity=self._options.entity,
            config=dict(parameters),
            dir=str(self._folder.parent),
            settings=settings,
        )

    def log_metrics(self, metrics: MetricValues) -> None:
        self._run.summary.update(dict(metrics))

    def log_file(self, path: Path) -> None:
        self._log_artifact(self._wandb.Artifact(path.stem, "result"), [path])

    def log_table(self, name: str, rows: TableRows) -> None:
        columns: list[str | int] = [*_columns(rows)]
        # What lacks is None: a column of a table has one type.
        data = [[row.get(str(column)) for column in columns] for row in rows]
        table = self._wandb.Table(columns=columns, data=data, allow_mixed_types=True)
        self._run.log({name: table})

    def log_model(self, folder: Path, version: str, parameters: Parameters) -> None:
        self._run.config.update({f"model.{name}": value for name, value in parameters.items()})
        self._run.summary["model_version"] = version
        if self._options.model_files:
            artifact = self._wandb.Artifact("model", "model", metadata={"version": version})
            self._log_artifact(artifact, sorted(folder.iterdir()))

    def end_run(self, *, succeeded: bool) -> None:
        self._run.finish(exit_code=0 if succeeded else 1)

    def _log_artifact(self, artifact: Any, files: Sequence[Path]) -> None:
        for file in files:  # add_dir would print
            artifact.add_file(str(file))
        self._run.log_artifact(artifact)


def open_tracking(mlflow: MLflowOptions | None, wandb: WandbOptions | None, work: Path) -> Tracking:
    """The trackers that are configured; they are imported when a run begins."""
    work = work.absolute()
    trackers: dict[str, Callable[[], ExperimentTracker]] = {}
    if mlflow is not None:
        require_packages("[mlflow]", "mlflow", "alembic")
        trackers["mlflow"] = lambda: _MLflowTracker(mlflow, work)
    if wandb is not None:
        require_packages("[wandb]", "wandb")
        trackers["wandb"] = lambda: _WandbTracker(wandb, work)
    return Tracking(trackers)
