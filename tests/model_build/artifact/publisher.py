"""Commands in processes of their own that are started quickly, and can be killed at any moment."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from io import StringIO
from multiprocessing.process import BaseProcess
from pathlib import Path

from model_build.cli import COMMANDS, main
from model_build.pipeline.task import JOBS

# Once, not in every process.
for _name in (
    *(f"model_build.commands.{name}" for name in COMMANDS),
    *(job.module for job in JOBS.values()),
):
    import_module(_name)

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__, "google.cloud.storage"])


def start(
    command: list[str], log: Path, *, kill_at: int | None = None, room: int | None = None
) -> BaseProcess:
    """Run a command. It kills itself at its ``kill_at``-th change of a file, and can make no file
    larger than ``room``."""
    process = _processes.Process(
        target=_run, args=(command, log, dict(os.environ), kill_at, room), daemon=True
    )
    process.start()
    return process


def _run(
    command: list[str],
    log: Path,
    environment: Mapping[str, str],
    kill_at: int | None,
    room: int | None,
) -> None:
    os.environ.update(environment)
    sys.stdout = sys.stderr = told = StringIO()
    if kill_at is not None:
        _kill_self(kill_at)
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
