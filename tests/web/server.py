"""Hakken as it is deployed: gunicorn with two workers, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import pytest

from app.settings import ROOT


@dataclass
class Server:
    """A running server: its address, its master process and what it has logged so far."""

    url: str
    master: int
    log: list[str] = field(default_factory=list)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        return psutil.Process(self.master).children()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        os.kill(self.master, number)


@contextmanager
def running_hakken(environment: Mapping[str, str]) -> Iterator[Server]:
    """Hakken with these settings, with two workers unless they say otherwise."""
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "app.wsgi:app"],
        cwd=ROOT,
        env={**os.environ, "WEB_CONCURRENCY": "2", **environment, "PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        log: list[str] = []
        address = None
        while address is None and (line := process.stderr.readline()):
            log.append(line)
            address = re.search(r"Listening at: (http://\S+)", line)
        if address is None:
            pytest.fail("the server did not start:\n" + "".join(log))
        reader = threading.Thread(target=log.extend, args=(process.stderr,))
        reader.start()
        try:
            url = address[1].replace("0.0.0.0", "127.0.0.1")
            yield Server(url, process.pid, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            reader.join()
