"""One command to be run, with what it reads and what it writes."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from model_build.artifact.config import AnnotateConfig, FetchConfig, PublishConfig
from model_build.collect.config import KitsuConfig, MyAnimeListConfig
from model_build.data.config import CatalogueConfig, PrepareConfig, SplitConfig
from model_build.engines.config import ENGINE_CONFIGS
from model_build.evaluate.config import CompareConfig, EvaluateConfig, NeuralConfig
from model_build.interface.config import RecommendConfig, SimilarConfig
from model_build.reporting.config import ReportConfig
from model_build.train.config import TrainConfig
from model_build.tuning.config import (
    EventsConfig,
    GridConfig,
    ImplicitComparisonConfig,
    StrengthSearchConfig,
    TuneConfig,
)
from model_build.util.options import Config, Option, OptionRole, given_options


class Job(NamedTuple):
    """What does a command's work; imported when a task runs."""

    command: str
    module: str
    function: str


_COLLECT = Job("collect", "model_build.reporting.job", "collect")
_ENGINE = Job("engine", "model_build.tuning.engine_job", "fit_engine")
_IMPLICIT = "model_build.tuning.implicit_job"
JOBS: dict[type[Config], Job] = {
    CatalogueConfig: Job("catalogue", "model_build.collect.catalogue", "write_catalogue"),
    KitsuConfig: _COLLECT,
    MyAnimeListConfig: _COLLECT,
    PrepareConfig: Job("prepare", "model_build.data.dumps.prepare", "prepare"),
    TrainConfig: Job("train", "model_build.train.job", "train"),
    FetchConfig: Job("fetch", "model_build.artifact.job", "fetch"),
    **dict.fromkeys(ENGINE_CONFIGS.values(), _ENGINE),
    SplitConfig: Job("split", "model_build.data.holdout", "write_split"),
    EvaluateConfig: Job("evaluate", "model_build.evaluate.job", "evaluation_json"),
    AnnotateConfig: Job("annotate", "model_build.artifact.job", "annotate"),
    CompareConfig: Job("compare", "model_build.evaluate.job", "comparison_json"),
    NeuralConfig: Job("neural", "model_build.evaluate.job", "predictions_json"),
    StrengthSearchConfig: Job("implicit", _IMPLICIT, "strengths_json"),
    EventsConfig: Job("implicit", _IMPLICIT, "events_json"),
    GridConfig: Job("implicit", _IMPLICIT, "grid_json"),
    ImplicitComparisonConfig: Job("implicit", _IMPLICIT, "comparison_json"),
    ReportConfig: Job("report", "model_build.reporting.job", "write_report"),
    TuneConfig: Job("tune", "model_build.tuning.tune_job", "tune"),
    RecommendConfig: Job("recommend", "model_build.interface.job", "recommendations_json"),
    SimilarConfig: Job("similar", "model_build.interface.job", "similar_json"),
    PublishConfig: Job("publish", "model_build.artifact.job", "publish"),
}


def run_job(config: Config) -> str:
    """Do the work that a config describes; returns what there is to say of it."""
    job = JOBS[type(config)]
    work: Callable[[Config], str] = getattr(import_module(job.module), job.function)
    return work(config)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineTask:
    """A command of a step with its config, which names what is read and written.

    What the job returns goes to ``stdout_path``, if there is one. An input in ``optional_inputs``
    is left out where there is none. ``extra_state`` is what else the result depends on,
    ``precondition`` refuses what cannot be done. ``is_external``: it asks or changes what is not on
    this host, so new code is no reason to do it again. ``clear_output``: the command wants its
    place empty. ``kept`` is what a run leaves for the next one to go on with.
    """

    name: str
    step: str
    config: Config
    stdout_path: Path | None = None
    optional_inputs: frozenset[str] = frozenset()
    extra_state: Callable[[], str] | None = None
    precondition: Callable[[], None] | None = None
    is_external: bool = False
    clear_output: bool = False
    kept: tuple[Path, ...] = ()

    @property
    def job(self) -> Job:
        """What does the work."""
        return JOBS[type(self.config)]

    def run(self) -> str:
        """Do the work; returns what there is to say of it."""
        missing = dict.fromkeys(self.optional_inputs - self.inputs().keys())
        return run_job(self.config.model_copy(update=missing))

    def command_words(self) -> list[str]:
        """The command, and the one beneath it if there is one."""
        return [self.job.command, *self._given(OptionRole.SUBCOMMAND).values()]

    def options(self) -> dict[str, Any]:
        """What is configured, without what is read and written, by key."""
        given = self._given(None, OptionRole.PLACE)
        return {option.key: value for option, value in given.items()}

    def inputs(self) -> dict[str, list[str]]:
        """The inputs that are there, or must be, by key."""
        given = {
            option.key: list(map(str, value if option.many else [value]))
            for option, value in self._given(OptionRole.INPUT).items()
        }
        return {
            key: paths
            for key, paths in given.items()
            if key not in self.optional_inputs or all(Path(path).exists() for path in paths)
        }

    def outputs(self) -> dict[str, Path]:
        """All that it writes, by key."""
        found = {
            option.key: Path(value) for option, value in self._given(OptionRole.OUTPUT).items()
        }
        return found if self.stdout_path is None else {**found, "printed": self.stdout_path}

    def command_line(self) -> str:
        """The same as one would type it."""
        words, inputs = ["python", "-m", "model_build", *self.command_words()], self.inputs()
        for option, value in self._given(
            None, OptionRole.PLACE, OptionRole.INPUT, OptionRole.OUTPUT
        ).items():
            if option.role is not OptionRole.INPUT or option.key in inputs:
                words += _option_words(option, value)
        line = shlex.join(words)
        return line if self.stdout_path is None else f"{line} >{shlex.quote(str(self.stdout_path))}"

    def _given(self, *roles: OptionRole | None) -> dict[Option, Any]:
        """The options of these roles that were given, role by role."""
        given = given_options(self.config)
        return {
            option: value
            for role in roles
            for option, value in given.items()
            if option.role is role and value is not None
        }


def _option_words(option: Option, value: Any) -> list[str]:
    if option.type is bool:
        return [option.flag] if value else []
    if option.many:
        return [option.flag, *map(str, value)]
    return [f"{option.flag}={value}"]  # so that it may begin with a dash
