"""pybreaker's circuits; imported when a service is first asked, as it imports Redis' library."""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

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

from app.upstream.shared_storage import redis_key

if TYPE_CHECKING:
    from app.upstream.shared_storage import SharedStorage

log = logging.getLogger(__name__)


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


class Circuit:
    """The circuit ``name``, of this process, or of all when there is a Redis."""

    def __init__(
        self, shared_storage: SharedStorage, name: str, max_failures: int, reset_seconds: float
    ) -> None:
        self._storage = _create_storage(shared_storage, name)
        self._breaker = CircuitBreaker(
            fail_max=max_failures,
            reset_timeout=reset_seconds,
            state_storage=self._storage,
            throw_new_error_on_trip=False,
        )

    @property
    def opened_at(self) -> datetime | None:
        """Since when it is open; None where it is not."""
        opened = self._storage.opened_at
        return opened if self._storage.state == STATE_OPEN else None

    def set_opened_at(self, now: datetime) -> None:
        """Have it be open since another moment."""
        self._storage.opened_at = now

    def record_outcome(self, *, failed: bool) -> None:
        """Say how asking went."""
        with contextlib.suppress(_ReportedFailure, CircuitBreakerError):
            self._breaker.call(_raise_if_failed, failed)


def _create_storage(shared_storage: SharedStorage, name: str) -> CircuitBreakerStorage:
    redis = shared_storage.redis
    if redis is not None:
        try:
            return _RedisCircuitStorage(redis, redis_key("breaker", name))
        except RedisError as error:
            log.warning("failures are not shared: %s", type(error).__name__)
    return CircuitMemoryStorage(STATE_CLOSED)


def _raise_if_failed(failed: bool) -> None:
    if failed:
        raise _ReportedFailure
