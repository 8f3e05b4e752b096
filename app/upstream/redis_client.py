"""The Redis of all hosts; imported only where there is one, as its library takes a while."""

from __future__ import annotations

import time
from typing import Any

from redis import ConnectionPool, Redis
from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004 -- not the system's

# Redis is next door; one that does not answer at once must not hold up a page.
_REDIS_TIMEOUT = 1.0
REDIS_RETRY_SECONDS = 10.0
"""Seconds for which a Redis that could not be reached is not asked again."""


class _FailFastPool(ConnectionPool):
    """Connections to a Redis; none for a while after one could not be had.

    A page asks a Redis some ten times. If it hangs, one of them waits, and not all.
    """

    _retry_at = 0.0

    def get_connection(self, *arguments: Any, **more: Any) -> Any:
        if time.monotonic() < self._retry_at:
            raise ConnectionError("it did not answer a moment ago")
        try:
            return super().get_connection(*arguments, **more)
        except (ConnectionError, TimeoutError):
            self._retry_at = time.monotonic() + REDIS_RETRY_SECONDS
            raise


def open_redis(url: str) -> Redis:
    """Return a client for the Redis at ``url``, which connects when it is first asked."""
    pool = _FailFastPool.from_url(
        url, socket_timeout=_REDIS_TIMEOUT, socket_connect_timeout=_REDIS_TIMEOUT
    )
    return Redis(connection_pool=pool)
