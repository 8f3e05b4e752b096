"""Stops asking a service that keeps failing, and tries it again after a while."""

from __future__ import annotations

import contextlib
import logging
import threading
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
from redis import RedisError

from app.upstream.shared import Shared, redis_name

log = logging.getLogger(__name__)

FAILURES = 8
REST_SECONDS = 30.0


class Resting(Exception):  # noqa: N818 -- it names the state, not a mistake
    """The service has failed again and again and is left alone; ``seconds`` until the next try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"left alone for {seconds:.0f} s after repeated failures")
        self.seconds = seconds


class _Failure(Exception):  # noqa: N818 -- only tells pybreaker
    pass


class Breaker:
    """pybreaker's circuit for one service, per worker, or for all when there is a Redis.

    Outcomes are reported after the fact, because pybreaker holds a lock for as long as a call that
    it makes itself: one slow list would stop all others.
    """

    def __init__(
        self,
        shared: Shared,
        name: str,
        failures: int = FAILURES,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        self._shared = shared
        self._name = name
        self._failures = failures
        self._rest = rest_seconds
        self._opening = threading.Lock()
        self._circuit: tuple[CircuitBreaker, CircuitBreakerStorage] | None = None

    def check(self) -> None:
        """Return if the service may be asked.

        Raises:
            Resting: not now.
        """
        _, storage = self._open()
        opened = storage.opened_at
        if storage.state != STATE_OPEN or opened is None:
            return
        left = (opened + timedelta(seconds=self._rest) - datetime.now(UTC)).total_seconds()
        if left > 0:
            raise Resting(left)

    def report(self, *, failed: bool) -> None:
        """Say how asking went."""
        circuit, _ = self._open()
        with contextlib.suppress(_Failure, CircuitBreakerError):
            circuit.call(_replay, failed)

    def _open(self) -> tuple[CircuitBreaker, CircuitBreakerStorage]:
        with self._opening:
            if self._circuit is None:
                storage = self._storage()
                circuit = CircuitBreaker(
                    fail_max=self._failures,
                    reset_timeout=self._rest,
                    state_storage=storage,
                    throw_new_error_on_trip=False,
                )
                self._circuit = circuit, storage
            return self._circuit

    def _storage(self) -> CircuitBreakerStorage:
        redis = self._shared.redis
        if redis is not None:
            name = redis_name("breaker", self._name)
            try:
                return CircuitRedisStorage(STATE_CLOSED, redis, namespace=name)
            except RedisError as error:
                log.warning("failures are not shared: %s", type(error).__name__)
        return CircuitMemoryStorage(STATE_CLOSED)


def _replay(failed: bool) -> None:
    if failed:
        raise _Failure
