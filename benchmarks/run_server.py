"""The web application as it is deployed, for as long as a measurement takes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
READY_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class WorkerMemory:
    """Of one worker, in MB: all that is resident, and what no other process shares."""

    resident: float
    unique: float


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A running server. ``ready_s`` is what it took from the command to the first ready answer.

    ``read_log`` returns what it has written so far.
    """

    url: str
    ready_s: float
    process: psutil.Process
    read_log: Callable[[], str]

    def worker_memory(self) -> list[WorkerMemory]:
        """Return what the workers hold now."""
        found = (worker.memory_full_info() for worker in self.process.children())
        return [WorkerMemory(each.rss / 2**20, each.uss / 2**20) for each in found]


class ServerNotReadyError(Exception):
    """The server did not become ready; the message is what it wrote."""


@contextmanager
def run_server(
    workers: int, environment: Mapping[str, str] | None = None, wrap: Sequence[str] = ()
) -> Iterator[RunningServer]:
    """Run gunicorn with the project's own configuration, on a free port of this machine.

    ``wrap`` is a command that it is started by.

    Raises
    ------
    ServerNotReadyError
        It ended, or took more than a minute.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [*wrap, sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"]
    command += ["--workers", str(workers), "--bind", address, "app.wsgi:app"]
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as log,  # a pipe that nobody reads would fill up
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, stderr=log
        ) as server,
    ):

        def read_log() -> str:
            # Not by reading on: the server writes where this stands.
            return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode()

        try:
            while not _is_ready(f"http://{address}/readyz"):
                if server.poll() is not None or time.perf_counter() - start > READY_TIMEOUT:
                    server.kill()
                    raise ServerNotReadyError(read_log())
                time.sleep(0.02)
            ready = time.perf_counter() - start
            yield RunningServer(f"http://{address}", ready, psutil.Process(server.pid), read_log)
        finally:
            server.terminate()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
