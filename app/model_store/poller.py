"""Calls a function again and again in a thread of this process, and at once when asked to."""

from __future__ import annotations

import os
import queue
import random
import threading
from collections.abc import Callable

JITTER = 0.25
"""The share of the interval by which it varies, so that hosts do not all ask at the same moment."""
_random = random.SystemRandom()  # different in every worker, though they were forked


class Poller:
    """Calls ``callback(asked)`` about every ``interval`` seconds, never twice at once.

    With 0 only when woken. ``asked`` is True when somebody asked for it. A thread does not survive
    a fork, so whoever forks calls `start` afterwards; calling it again costs nothing.
    """

    def __init__(self, callback: Callable[[bool], None], interval: float) -> None:
        self._callback = callback
        self._interval = interval
        self._started_pid: int | None = None
        self._start_lock = threading.Lock()
        # Its put may be called from a signal handler, unlike what events and locks offer.
        self._wakeups: queue.SimpleQueue[None] = queue.SimpleQueue()

    def start(self) -> None:
        """Have a thread in this process, if there is none yet."""
        if self._started_pid == os.getpid():
            return
        with self._start_lock:
            if self._started_pid != os.getpid():
                threading.Thread(target=self._run, name="model-watcher", daemon=True).start()
                self._started_pid = os.getpid()

    def wake(self) -> None:
        """Look now. Safe in a signal handler."""
        self._wakeups.put(None)

    def _run(self) -> None:
        while True:
            self._callback(self._wait())

    def _wait(self) -> bool:
        interval = self._interval * _random.uniform(1 - JITTER, 1 + JITTER)
        try:
            self._wakeups.get(timeout=interval or None)
        except queue.Empty:
            return False
        return True
