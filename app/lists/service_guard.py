"""What spares a service: a circuit breaker, and room for so many at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.lists.errors import ListError, RateLimited, SourceDown, Trouble
from app.upstream import CircuitOpen, ServiceBreaker

BUSY_RETRY_SECONDS = 5
"""When to try again, for those who found no room."""


class ServiceGuard:
    """Lets a service be asked unless it should be left alone; errors name it ``source``.

    Whoever finds ``semaphore`` taken is turned away at once, so that a slow service cannot keep all
    threads of the worker.
    """

    def __init__(
        self, source: str, circuit_breaker: ServiceBreaker, semaphore: threading.Semaphore
    ) -> None:
        self._source = source
        self._circuit_breaker = circuit_breaker
        self._semaphore = semaphore
        # What made the service be left alone is what it is left alone for.
        self._last_trouble = Trouble.BROKEN

    @contextmanager
    def asking(self, username: str | None) -> Iterator[None]:
        """Ask within; what comes of it decides whether the service is left alone.

        Raises RateLimited: there is no room; SourceDown: the service is left alone.
        """
        try:
            self._circuit_breaker.raise_if_open()
        except CircuitOpen as error:
            raise SourceDown(
                source=self._source,
                username=username,
                detail=str(error),
                trouble=self._last_trouble,
            ) from None
        if not self._semaphore.acquire(blocking=False):
            raise RateLimited(
                source=self._source, username=username, retry_after=BUSY_RETRY_SECONDS
            )
        try:
            yield
        except RateLimited:
            raise
        except ListError as error:
            failed = isinstance(error, SourceDown) and error.trouble is not Trouble.MALFORMED
            if isinstance(error, SourceDown):
                self._last_trouble = error.trouble
            self._circuit_breaker.record_outcome(failed=failed)
            raise
        finally:
            self._semaphore.release()
        self._circuit_breaker.record_outcome(failed=False)
