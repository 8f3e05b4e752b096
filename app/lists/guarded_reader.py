"""What spares a service: a circuit breaker, and room for so many at a time; and readers with it.

A source may have several, the preferred first: while one gives no answer, the next is asked.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from app.lists.entry import AnimeList, ListProgressCallback
from app.lists.errors import (
    ListError,
    NotFoundOrPrivate,
    PrivateList,
    RateLimited,
    SourceDown,
    Trouble,
)
from app.lists.reader import ListReader
from app.upstream import CircuitOpen, ServiceBreaker

log = logging.getLogger(__name__)

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


class GuardedReader:
    """Asks ``reader`` under the guard of its service."""

    def __init__(self, reader: ListReader, guard: ServiceGuard) -> None:
        self.reader = reader
        self._guard = guard

    def read(self, username: str, on_progress: ListProgressCallback) -> AnimeList:
        """Return the list of a user.

        Raises ListError: whatever the reader does; RateLimited where there is no room, SourceDown
        where the service is left alone.
        """
        with self._guard.asking(username):
            return self.reader.read(username, on_progress)

    def signed_in(self, token: str) -> GuardedReader:
        """Return one that reads what is private, for the fan whose ``token`` it is."""
        return GuardedReader(replace(self.reader, token=token), self._guard)


def read_by_first(
    readers: Sequence[GuardedReader], username: str, on_progress: ListProgressCallback
) -> AnimeList:
    """Return the list as the first of ``readers`` gives it that answers.

    Raises ListError: what one of them says about the user; where none answers, what the first one
    met.
    """
    first: ListError | None = None
    for place, each in enumerate(readers):
        try:
            return each.read(username, on_progress)
        except (SourceDown, RateLimited, PrivateList) as error:
            if isinstance(error, PrivateList) and not error.or_refused:
                raise
            first = first or error
            if place + 1 < len(readers):
                _log_next(each.reader, readers[place + 1].reader, error)
        except NotFoundOrPrivate:
            # That it is private was said before, and says more.
            if isinstance(first, PrivateList):
                raise first from None
            raise
    assert first is not None
    raise first


def _log_next(failed: ListReader, following: ListReader, error: ListError) -> None:
    said = f": {error.detail}" if isinstance(error, SourceDown) else ""
    said = re.sub(re.escape(error.username or "\0"), "(username)", said, flags=re.IGNORECASE)
    log.warning(
        "%s by %s: %s%s; asked by %s instead",
        failed.client.source,
        failed.channel,
        type(error).__name__,
        said,
        following.channel,
    )
