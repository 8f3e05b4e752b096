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
from collections.abc import Iterator, Mapping
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
    """A running server. ``ready_s`` is what it took from the command to the first ready answer."""

    url: str
    ready_s: float
    process: psutil.Process

    def worker_memory(self) -> list[WorkerMemory]:
        """Return what the workers hold now."""
        found = (worker.memory_full_info() for worker in self.process.children())
        return [WorkerMemory(each.rss / 2**20, each.uss / 2**20) for each in found]


class ServerNotReadyError(Exception):
    """The server did not become ready; the message is what it wrote."""


@contextmanager
def run_server(
    workers: int, environment: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    """Run gunicorn with the project's own configuration, on a free port of this machine.

    Raises
    ------
    ServerNotReadyError
        It ended, or took more than a minute.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"]
    command += ["--workers", str(workers), "--bind", address, "app.wsgi:app"]
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as log,  # a pipe that nobody reads would fill up
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, stderr=log
        ) as server,
    ):
        try:
            while not _is_ready(f"http://{address}/readyz"):
                if server.poll() is not None or time.perf_counter() - start > READY_TIMEOUT:
                    server.kill()
                    log.seek(0)
                    raise ServerNotReadyError(log.read())
                time.sleep(0.02)
            ready = time.perf_counter() - start
            yield RunningServer(f"http://{address}", ready, psutil.Process(server.pid))
        finally:
            server.terminate()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
