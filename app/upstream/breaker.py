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
    CircuitBreakerListener,
    CircuitBreakerState,
    CircuitBreakerStorage,
    CircuitMemoryStorage,
    CircuitRedisStorage,
)
from redis import RedisError

from app.upstream.shared import Shared, redis_name

log = logging.getLogger(__name__)

FAILURES = 8
REST_SECONDS = 30.0
_SKEW = timedelta(seconds=5)  # by which the clocks of two hosts may differ


class Resting(Exception):  # noqa: N818 -- it names the state, not a mistake
    """The service has failed again and again and is left alone; ``seconds`` until the next try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"left alone for {seconds:.0f} s after repeated failures")
        self.seconds = seconds


class _Failure(Exception):  # noqa: N818 -- only tells pybreaker
    pass


class _RedisStorage(CircuitRedisStorage):
    """pybreaker would never let ``opened_at`` go back, not even when the clock has."""

    @property
    def opened_at(self) -> datetime | None:
        return super().opened_at

    @opened_at.setter
    def opened_at(self, now: datetime) -> None:
        try:
            self._redis.set(self._namespace("opened_at"), int(now.timestamp()))
        except RedisError as error:
            log.warning("a failure is not shared: %s", type(error).__name__)


class _OnRest(CircuitBreakerListener):
    def __init__(self, call: Callable[[float], None], seconds: float) -> None:
        self._call = call
        self._seconds = seconds

    def state_change(
        self,
        cb: CircuitBreaker,  # noqa: ARG002
        old_state: CircuitBreakerState | None,  # noqa: ARG002
        new_state: CircuitBreakerState,
    ) -> None:
        if new_state.name == STATE_OPEN:
            self._call(datetime.now(UTC).timestamp() + self._seconds)


class Breaker:
    """pybreaker's circuit for one service, per worker, or for all when there is a Redis.

    ``on_rest`` is told until when the service is left alone, in seconds since the epoch.

    Outcomes are reported after the fact, because pybreaker holds a lock for as long as a call that
    it makes itself: one slow list would stop all others.
    """

    def __init__(
        self,
        shared: Shared,
        name: str,
        failures: int = FAILURES,
        rest_seconds: float = REST_SECONDS,
        on_rest: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._shared = shared
        self._name = name
        self._failures = failures
        self._rest = rest_seconds
        self._on_rest = on_rest
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
        now = datetime.now(UTC)
        if opened > now + _SKEW:  # the clock was set back: rest from now on, not until then
            storage.opened_at = opened = now
        left = (opened + timedelta(seconds=self._rest) - now).total_seconds()
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
                    listeners=[_OnRest(self._on_rest, self._rest)],
                )
                self._circuit = circuit, storage
            return self._circuit

    def _storage(self) -> CircuitBreakerStorage:
        redis = self._shared.redis
        if redis is not None:
            name = redis_name("breaker", self._name)
            try:
                return _RedisStorage(STATE_CLOSED, redis, namespace=name)
            except RedisError as error:
                log.warning("failures are not shared: %s", type(error).__name__)
        return CircuitMemoryStorage(STATE_CLOSED)


def _replay(failed: bool) -> None:
    if failed:
        raise _Failure
