"""Build a model as a configuration file says: every step in its order, or one of them.

collect -> prepare -> tune -> implicit -> train -> engines -> evaluate -> compare -> neural
    -> report -> by_ratings, similar_anime, similar_users -> publish

Steps that the file has no section for are left out, what is up to date is skipped, and a build that
was stopped goes on where it was. Example:

    python -m model_build pipeline --example >build.toml       # every option, with its default
    python -m model_build pipeline --config build.toml --dry-run
    python -m model_build pipeline --config build.toml --set train.shrinkage=80
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from model_build.util.errors import InputError
from model_build.util.options import Config, Metavar, named

if TYPE_CHECKING:
    from model_build.pipeline.task import PipelineTask


class PipelineArguments(Config):
    """Options of `pipeline`."""

    exclusive = (("only", "first"), ("dry_run", "example"))

    config: Annotated[Path, Metavar("FILE")] = Path("build.toml")
    overrides: Annotated[tuple[str, ...], Metavar("SECTION.KEY=VALUE")] = named(
        "set", "instead of what the file says; may be given again", ()
    )
    only: Annotated[str, Metavar("STEP")] | None = Field(None, description="this step alone")
    first: Annotated[str, Metavar("STEP")] | None = named(
        "from", "this step and those after it", None
    )
    force: bool = Field(False, description="also what is up to date")
    dry_run: bool = Field(False, description="only say what would run, and why")
    example: bool = Field(False, description="print a file with every option")


CONFIG = PipelineArguments


def run(config: PipelineArguments) -> None:
    """Build, or print what would be built."""
    from model_build.pipeline.config import read_config
    from model_build.pipeline.example_config import example_config
    from model_build.pipeline.plan import plan_tasks
    from model_build.pipeline.results import config_parameters, track_results
    from model_build.pipeline.runner import preview_tasks, run_tasks
    from model_build.tracking.trackers import open_tracking

    if config.example:
        print(example_config(), end="")
        return
    build = read_config(config.config, config.overrides)
    tasks = plan_tasks(build)
    steps = _selected_steps(config, list(dict.fromkeys(task.step for task in tasks)))
    tasks = [task for task in tasks if task.step in steps]
    if config.dry_run:
        preview_tasks(tasks, build.work, print, force=config.force)
        return
    tracking = open_tracking(build.mlflow, build.wandb, build.work)
    finished: list[PipelineTask] = []

    def on_done(task: PipelineTask, seconds: float | None) -> None:
        finished.append(task)
        if seconds is not None:
            metrics = {f"seconds.{task.name}": seconds}
            tracking.each(lambda tracker: tracker.log_metrics(metrics))

    start, succeeded = time.perf_counter(), False
    try:
        run_tasks(
            tasks,
            build.work,
            lambda line: print(line, flush=True),
            on_start=lambda: tracking.start_run(config_parameters(build)),
            on_done=on_done,
            force=config.force,
        )
        succeeded = True
    finally:
        if tracking.began:
            track_results(tracking, build, finished)
            tracking.each(lambda tracker: tracker.end_run(succeeded=succeeded))
    print(f"in all {time.perf_counter() - start:.1f} s, results in {build.work}")


def _selected_steps(config: PipelineArguments, configured: list[str]) -> list[str]:
    chosen = config.only or config.first
    if chosen is None:
        return configured
    if chosen not in configured:
        option = "--only" if config.only else "--from"
        raise InputError(
            f"{option} {chosen}: expected a step of {config.config}: "
            f"{', '.join(configured) or 'it has none'}."
        )
    return [chosen] if config.only else configured[configured.index(chosen) :]
