"""Build a model as a configuration file says: every step in its order, or one of them.

collect -> prepare -> train -> engines -> evaluate -> compare -> report -> publish

Steps that the file has no section for are left out, what is up to date is skipped, and a build that
was stopped goes on where it was. Example:

    python -m model_build pipeline --example >build.toml       # every option, with its default
    python -m model_build pipeline --config build.toml --dry-run
    python -m model_build pipeline --config build.toml --set train.shrinkage=80
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from model_build.util.errors import InputError

if TYPE_CHECKING:
    from model_build.pipeline.task import PipelineTask

HELP = "all of it, from one configuration file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path("build.toml"), metavar="FILE", help="default build.toml"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        dest="overrides",
        help="instead of what the file says; may be given again",
    )
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--only", metavar="STEP", help="this step alone")
    some.add_argument("--from", metavar="STEP", dest="first", help="this step and those after it")
    parser.add_argument("--force", action="store_true", help="also what is up to date")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="only say what would run, and why")
    what.add_argument("--example", action="store_true", help="print a file with every option")


def run(arguments: argparse.Namespace) -> None:
    # Here, as those modules ask all commands for their options.
    from model_build.pipeline.config import read_config
    from model_build.pipeline.example_config import example_config
    from model_build.pipeline.plan import plan_tasks
    from model_build.pipeline.results import config_parameters, track_results
    from model_build.pipeline.runner import preview_tasks, run_tasks
    from model_build.pipeline.tracking import open_tracking

    if arguments.example:
        print(example_config(), end="")
        return
    config = read_config(arguments.config, arguments.overrides)
    try:
        tasks = plan_tasks(config)
    except InputError as error:
        raise InputError(f"{arguments.config}: {error}") from None
    steps = _selected_steps(arguments, list(dict.fromkeys(task.step for task in tasks)))
    if arguments.dry_run:
        preview_tasks(tasks, steps, config.work, print, force=arguments.force)
        return
    tracking = open_tracking(config)
    finished: list[PipelineTask] = []

    def on_done(task: PipelineTask, seconds: float | None) -> None:
        finished.append(task)
        if seconds is not None:
            tracking.log_metrics({f"seconds.{task.name}": seconds})

    start, well = time.perf_counter(), False
    try:
        run_tasks(
            tasks,
            steps,
            config.work,
            lambda line: print(line, flush=True),
            on_start=lambda: tracking.start_run(config_parameters(config)),
            on_done=on_done,
            force=arguments.force,
        )
        well = True
    finally:
        if tracking.began:
            track_results(tracking, config, finished)
            tracking.end_run(succeeded=well)
    print(f"in all {time.perf_counter() - start:.1f} s, results in {config.work}")


def _selected_steps(arguments: argparse.Namespace, configured_steps: list[str]) -> list[str]:
    chosen = arguments.only or arguments.first
    if chosen is None:
        return configured_steps
    if chosen not in configured_steps:
        option = "--only" if arguments.only else "--from"
        raise InputError(
            f"{option} {chosen}: expected a step of {arguments.config}: "
            f"{', '.join(configured_steps) or 'it has none'}."
        )
    return [chosen] if arguments.only else configured_steps[configured_steps.index(chosen) :]
