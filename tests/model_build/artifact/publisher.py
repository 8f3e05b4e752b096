"""Commands in processes of their own that are started quickly, and can be killed at any moment."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from io import StringIO
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from app.recommender import atomic_writes
from model_build.cli import COMMANDS, main
from model_build.pipeline.task import JOBS
from model_build.train import job
from model_build.train.checkpoints import CheckpointStore

# Once, not in every process.
for _name in (
    *(f"model_build.commands.{name}" for name in COMMANDS),
    *(each.module for each in JOBS.values()),
):
    import_module(_name)

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    [__name__, "google.cloud.storage", "tests.model_build.artifact.warm_kernels"]
)


def start(
    command: list[str],
    log: Path,
    *,
    kill_at: int | None = None,
    room: int | None = None,
    first: Callable[[], None] | None = None,
) -> BaseProcess:
    """Run a command. It kills itself at its ``kill_at``-th change of a file, and can make no file
    larger than ``room``. Before it, in its process, ``first`` is called (see below)."""
    process = _processes.Process(
        target=_run, args=(command, log, dict(os.environ), kill_at, room, first), daemon=True
    )
    process.start()
    return process


def kill_at_call(call: str, number: int, *, exchange: bool = True) -> None:
    """SIGKILL instead of the ``number``-th call of a function, named with its module.

    ``exchange`` says whether two names can be exchanged.
    """
    place, _, name = call.rpartition(".")
    module, calls = import_module(place), 0
    real = getattr(module, name)

    def counted(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    setattr(module, name, counted)
    if not exchange:
        atomic_writes.exchange_paths = lambda first, second: False


def kill_at_stage(stage: str, min_entries: int | None = None) -> None:
    """SIGKILL when a stage of a training begins, as the system does when memory runs out.

    ``min_entries`` is how many make a training a long one.
    """
    real = CheckpointStore.load_or_compute

    def load_or_compute(store: CheckpointStore, name: str, *rest: Any) -> Any:
        if name == stage:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(store, name, *rest)

    setattr(CheckpointStore, "load_or_compute", load_or_compute)  # noqa: B010 (mypy)
    if min_entries is not None:
        job.CHECKPOINT_MIN_ENTRIES = min_entries


def _run(
    command: list[str],
    log: Path,
    environment: Mapping[str, str],
    kill_at: int | None,
    room: int | None,
    first: Callable[[], None] | None,
) -> None:
    os.environ.update(environment)
    sys.stdout = sys.stderr = told = StringIO()
    if kill_at is not None:
        _kill_self(kill_at)
    if first is not None:
        first()
    most = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if room is None else room, most))
    status = main(command)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    log.write_text(told.getvalue(), "utf-8")
    os._exit(status)


def _kill_self(at: int) -> None:
    """SIGKILL just before the so-and-so-manieth opening for writing, renaming or removal."""
    left = at

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & {*"wxa+"}
        if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(watch)
