"""Stops asking a service that keeps failing, and tries it again after a while."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerStorage,
    CircuitMemoryStorage,
    CircuitRedisStorage,
)
from redis import Redis, RedisError

from app.upstream.shared_storage import SharedStorage, redis_key

log = logging.getLogger(__name__)

MAX_FAILURES = 8
RESET_SECONDS = 30.0
_MAX_CLOCK_SKEW = timedelta(seconds=5)  # by which the clocks of two hosts may differ


class CircuitOpen(Exception):  # noqa: N818 -- it names the state, not a mistake
    """The service has failed again and again and is left alone; ``seconds`` until the next try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"left alone for {seconds:.0f} s after repeated failures")
        self.seconds = seconds


class _ReportedFailure(Exception):  # noqa: N818 -- only tells pybreaker
    pass


class _RedisCircuitStorage(CircuitRedisStorage):
    """pybreaker would never let ``opened_at`` go back, not even when the clock has."""

    def __init__(self, redis: Redis, name: str) -> None:
        super().__init__(STATE_CLOSED, redis, namespace=name)
        self._client = redis
        self._opened_at_key = f"{name}:opened_at"

    @property
    def opened_at(self) -> datetime | None:
        try:
            found = self._client.get(self._opened_at_key)
        except RedisError as error:
            log.warning("failures are not shared: %s", type(error).__name__)
            return None
        return datetime.fromtimestamp(int(found), UTC) if isinstance(found, bytes) else None

    @opened_at.setter
    def opened_at(self, now: datetime) -> None:
        try:
            self._client.set(self._opened_at_key, int(now.timestamp()))
        except RedisError as error:
            log.warning("a failure is not shared: %s", type(error).__name__)


class ServiceBreaker:
    """pybreaker's circuit for one service, per worker, or for all when there is a Redis.

    ``on_open`` is called with until when the service is left alone, in seconds since the epoch.

    Outcomes are reported after the fact, because pybreaker holds a lock for as long as a call that
    it makes itself: one slow list would stop all others.
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
        self._name = name
        self._max_failures = max_failures
        self._reset_seconds = reset_seconds
        self._on_open = on_open
        self._lock = threading.Lock()
        self._circuit: tuple[CircuitBreaker, CircuitBreakerStorage] | None = None

    def raise_if_open(self) -> None:
        """Return if the service may be asked. Raises CircuitOpen: not now."""
        _, storage = self._get_circuit()
        opened = storage.opened_at
        if storage.state != STATE_OPEN or opened is None:
            return
        now = datetime.now(UTC)
        if opened > now + _MAX_CLOCK_SKEW:
            # The clock was set back: rest from now on, not until then.
            storage.opened_at = opened = now
        left = (opened + timedelta(seconds=self._reset_seconds) - now).total_seconds()
        if left > 0:
            raise CircuitOpen(left)

    def record_outcome(self, *, failed: bool) -> None:
        """Say how asking went."""
        circuit, storage = self._get_circuit()
        with contextlib.suppress(_ReportedFailure, CircuitBreakerError):
            circuit.call(_raise_if_failed, failed)
        if failed and storage.state == STATE_OPEN and (opened := storage.opened_at) is not None:
            self._on_open(opened.timestamp() + self._reset_seconds)

    def _get_circuit(self) -> tuple[CircuitBreaker, CircuitBreakerStorage]:
        with self._lock:
            if self._circuit is None:
                storage = self._create_storage()
                circuit = CircuitBreaker(
                    fail_max=self._max_failures,
                    reset_timeout=self._reset_seconds,
                    state_storage=storage,
                    throw_new_error_on_trip=False,
                )
                self._circuit = circuit, storage
            return self._circuit

    def _create_storage(self) -> CircuitBreakerStorage:
        redis = self._shared_storage.redis
        if redis is not None:
            name = redis_key("breaker", self._name)
            try:
                return _RedisCircuitStorage(redis, name)
            except RedisError as error:
                log.warning("failures are not shared: %s", type(error).__name__)
        return CircuitMemoryStorage(STATE_CLOSED)


def _raise_if_failed(failed: bool) -> None:
    if failed:
        raise _ReportedFailure
