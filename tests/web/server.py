"""Hakken as it is deployed: gunicorn with two workers, in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

import psutil
import pytest

from app.settings import PROJECT_ROOT

PATIENCE = 120.0
"""Seconds after which a server that says nothing has failed."""

T = TypeVar("T")

DEFAULTS = {"WEB_CONCURRENCY": "2", "HAKKEN_RATE_LISTS": "off", "HAKKEN_RATE_PAGES": "off"}


def wait_until(look: Callable[[], T], is_so: Callable[[T], object]) -> T:
    """Look again and again until what is seen is as it should be; what was seen in the end.

    For what comes a moment after the answer that announces it, however long that moment is.
    """
    end = time.monotonic() + PATIENCE
    while True:
        found = look()
        if is_so(found):
            return found
        if time.monotonic() > end:
            pytest.fail(f"in the end there still is {found!r}")
        threading.Event().wait(0.02)


class Server:
    """A running server: its address, its master process and the lines that it has logged so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.log: list[str] = []
        self.master = process.pid
        self._process = process
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        (port,) = self.wait_for(r"Listening at: http://[^: ]+:(\d+)")
        self.port = int(port)
        self.url = f"http://127.0.0.1:{port}"

    @property
    def said(self) -> str:
        """The log as a text; whole once the server has stopped."""
        return "".join(self.log)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer, without those that ended and are not yet collected."""
        found = []
        for child in psutil.Process(self.master).children():
            with suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        os.kill(self.master, number)

    def wait_for(self, pattern: str, times: int = 1) -> list[str]:
        """All matches in the log, as soon as there are that many."""
        found: list[str] = []

        def there() -> bool:
            found[:] = re.findall(pattern, self.said)
            return len(found) >= times or not self._reader.is_alive()

        with self._more:
            self._more.wait_for(there, PATIENCE)
        if len(found) < times:
            pytest.fail(f"the server did not say {pattern!r} {times} times:\n{self.said}")
        return found

    def stop(self) -> None:
        """Have it finish what it is doing, and read the rest of what it says."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._more:
                self.log.append(line)
                self._more.notify_all()
        with self._more:
            self._more.notify_all()


@contextmanager
def running_hakken(environment: Mapping[str, str], *wrap: str) -> Iterator[Server]:
    """Hakken with these settings besides the DEFAULTS, started by the command ``wrap`` if given."""
    with subprocess.Popen(
        [*wrap, sys.executable, "-m", "gunicorn", "app.wsgi:app"],
        cwd=PROJECT_ROOT,
        env={**os.environ, **DEFAULTS, **environment, "PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            server = Server(process)
        except BaseException:
            process.kill()
            raise
        try:
            yield server
        finally:
            server.stop()


def at(model: object, cache: object) -> dict[str, str]:
    """The settings for a model and a folder for caches."""
    return {"HAKKEN_MODEL": str(model), "HAKKEN_CACHE_DIR": str(cache)}
