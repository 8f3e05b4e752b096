"""Stops asking a service that keeps failing, and tries it again after a while."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from app.upstream.shared_storage import SharedStorage, redis_key

log = logging.getLogger(__name__)

MAX_FAILURES = 8
RESET_SECONDS = 30.0
_MAX_CLOCK_SKEW = 5.0  # seconds by which the clocks of two hosts may differ


class CircuitOpen(Exception):  # noqa: N818 -- it names the state, not a mistake
    """The service has failed again and again and is left alone; ``seconds`` until the next try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"left alone for {seconds:.0f} s after repeated failures")
        self.seconds = seconds


class ServiceBreaker:
    """The circuit of one service, per worker, or for all when there is a Redis.

    It opens after ``max_failures`` in a row. When it has been open for ``reset_seconds``, the
    next outcome closes it or opens it anew. ``on_open`` is called with until when the service is
    left alone, in seconds since the epoch.
    """

    def __init__(
        self,
        shared_storage: SharedStorage,
        name: str,
        max_failures: int = MAX_FAILURES,
        reset_seconds: float = RESET_SECONDS,
        on_open: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._shared_storage = shared_storage
        self._key = redis_key("breaker", name)
        self._max_failures = max_failures
        self._reset_seconds = reset_seconds
        self._on_open = on_open
        self._lock = threading.Lock()
        # Failures in a row, and since when it is open (seconds since the epoch; 0: it is not).
        self._state = 0, 0.0

    def raise_if_open(self) -> None:
        """Return if the service may be asked. Raises CircuitOpen: not now."""
        failures, opened_at = self._read_state()
        now = time.time()
        if opened_at > now + _MAX_CLOCK_SKEW:
            # The clock was set back: rest from now on, not until then.
            opened_at = now
            self._write_state(failures, now)
        left = opened_at + self._reset_seconds - now
        if opened_at and left > 0:
            raise CircuitOpen(left)

    def record_outcome(self, *, failed: bool) -> None:
        """Say how asking went; while it is open, by who had asked before, this changes nothing."""
        with self._lock:
            failures, opened_at = self._read_state()
            now = time.time()
            if not opened_at or opened_at + self._reset_seconds <= now:
                failures = failures + 1 if failed else 0
                opened_at = now if failures >= self._max_failures else 0.0
                self._write_state(failures, opened_at)
        if failed and opened_at:
            self._on_open(opened_at + self._reset_seconds)

    def _read_state(self) -> tuple[int, float]:
        redis: Any = self._shared_storage.redis
        if redis is not None:
            try:
                failures, opened_at = redis.hmget(self._key, "failures", "opened_at")
                return int(failures or 0), float(opened_at or 0)
            except self._shared_storage.redis_errors as error:
                log.warning("failures are not shared: %s", type(error).__name__)
        return self._state

    def _write_state(self, failures: int, opened_at: float) -> None:
        self._state = failures, opened_at
        redis: Any = self._shared_storage.redis
        if redis is not None:
            try:
                redis.hset(self._key, mapping={"failures": failures, "opened_at": opened_at})
            except self._shared_storage.redis_errors as error:
                log.warning("a failure is not shared: %s", type(error).__name__)
