"""Fetches a list once for everybody who asks for it at the same time, and remembers it for minutes.

A service that is down is not a reason to send a fan away: a list that was read a little while ago
is given instead, and says its age. A list that was made private or deleted is forgotten at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from app.lists import errors
from app.lists.entry import Details, FanList
from app.lists.errors import ListError, RateLimited, SourceDown
from app.lists.progress import Progress, Report
from app.metrics import LIST_CACHE
from app.upstream import Breaker, Flights, Resting, Store
from app.upstream.shared import key_of

CROWDED_SECONDS = 5
"""When to try again, for those who found no room."""
# Long enough for everybody who was waiting; nobody who comes later is told an old failure.
_FAILURE_SECONDS = 60
# By which the clocks of two hosts may differ. What is dated further ahead was written before the
# clock was set back, and nobody knows how old it is.
_SKEW = 5.0
_SHARED: Final = "another request for the same list has just failed"

# What is needed, besides source and username, to say an error again.
_ARGUMENTS: Final[dict[type[ListError], tuple[str, ...]]] = {
    errors.UnknownUser: (),
    errors.PrivateList: ("or_refused",),
    errors.NotFoundOrPrivate: (),
    errors.EmptyList: (),
    errors.ListTooLong: ("limit",),
    errors.RateLimited: ("retry_after",),
    errors.SourceDown: ("timed_out", "malformed"),
}
_KINDS = {kind.__name__: kind for kind in _ARGUMENTS}


class _Failure(BaseModel):
    """An error that can be told to others."""

    at: float
    kind: str
    arguments: dict[str, Any]

    @classmethod
    def of(cls, error: ListError) -> _Failure:
        kind = type(error)
        arguments = {name: getattr(error, name) for name in _ARGUMENTS[kind]}
        return cls(at=time.time(), kind=kind.__name__, arguments=arguments)

    def error(self, source: str, username: str) -> ListError:
        kind = _KINDS[self.kind]
        arguments = dict(self.arguments)
        if kind is SourceDown:
            arguments["detail"] = _SHARED
        return kind(source=source, username=username, **arguments)


class _Memory(BaseModel):
    """What is remembered of one list."""

    read_at: float = 0.0
    fan_list: FanList | None = None
    failure: _Failure | None = None


_MEMORY = TypeAdapter(_Memory)


@dataclass(frozen=True, slots=True)
class Spans:
    """Seconds: how long a list is current, how much longer it may stand in for a sick service."""

    fresh: float = 300.0
    stale: float = 1800.0

    @property
    def longest(self) -> float:
        """How long anything about a list is kept."""
        return max(self.fresh + self.stale, _FAILURE_SECONDS)


class ListMemory:
    """The memory of all sources. ``learn`` is given the details that come along with lists."""

    def __init__(
        self,
        store: Store,
        flights: Flights,
        spans: Spans,
        learn: Callable[[Sequence[Details]], None],
    ) -> None:
        self._store = store
        self._flights = flights
        self._spans = spans
        self._learn = learn

    def fetch(
        self,
        fetch: Callable[[str], FanList],
        username: str,
        *,
        source: str,
        place: str,
        breaker: Breaker,
        room: threading.Semaphore,
        deadline_s: float,
        report: Report,
    ) -> FanList:
        """The list, from memory or by ``fetch``; ``place`` tells services of one kind apart.

        Whoever finds no ``room`` among those who ask the service is turned away at once, so that a
        slow one cannot keep all threads of the worker. ``report`` is told when somebody else's
        request is waited for; the rest is ``fetch``'s to tell.

        Raises whatever ListError ``fetch`` does.
        """
        key = key_of(place, username.casefold())
        began = time.time()
        remembered = self._recall(key)
        if current := self._current(remembered):
            LIST_CACHE.labels("hit").inc()
            return current
        try:
            with self._flights.only(key, deadline_s, waits=lambda: report(Progress(queued=True))):
                remembered = self._recall(key)
                if current := self._current(remembered):
                    LIST_CACHE.labels("hit").inc()
                    return current
                failure = remembered.failure
                if failure is not None and began <= failure.at <= time.time() + _SKEW:
                    raise failure.error(source, username)
                try:
                    return self._fetch(fetch, username, key, source, breaker, room)
                except ListError as error:
                    self._remember_failure(key, remembered, error)
                    raise
        except TimeoutError as error:
            down = SourceDown(source=source, username=username, detail=str(error), timed_out=True)
            return self._instead(remembered, down)
        except (SourceDown, RateLimited) as error:
            return self._instead(remembered, error)

    def _fetch(
        self,
        fetch: Callable[[str], FanList],
        username: str,
        key: str,
        source: str,
        breaker: Breaker,
        room: threading.Semaphore,
    ) -> FanList:
        LIST_CACHE.labels("miss").inc()
        try:
            breaker.check()
        except Resting as error:
            raise SourceDown(source=source, username=username, detail=str(error)) from None
        try:
            with _place_in(room, source, username):
                fan_list = fetch(username)
        except RateLimited:
            raise
        except ListError as error:
            breaker.report(failed=isinstance(error, SourceDown) and not error.malformed)
            raise
        breaker.report(failed=False)
        self._learn(fan_list.details)
        fan_list = replace(fan_list, details=())
        memory = _Memory(read_at=time.time(), fan_list=fan_list)
        self._keep(key, memory, self._spans.fresh + self._spans.stale)
        return fan_list

    def _current(self, remembered: _Memory) -> FanList | None:
        age = time.time() - remembered.read_at
        return remembered.fan_list if -_SKEW <= age < self._spans.fresh else None

    def _instead(self, remembered: _Memory, error: ListError) -> FanList:
        """An older list in place of an error that says nothing about the list."""
        age = time.time() - remembered.read_at
        if remembered.fan_list is None or not -_SKEW <= age < self._spans.fresh + self._spans.stale:
            raise error
        LIST_CACHE.labels("stale").inc()
        return replace(remembered.fan_list, age=max(1, round(age)))

    def _remember_failure(self, key: str, remembered: _Memory, error: ListError) -> None:
        if type(error) not in _ARGUMENTS:
            return
        failure = _Failure.of(error)
        if isinstance(error, SourceDown | RateLimited) and remembered.fan_list is not None:
            left = remembered.read_at + self._spans.fresh + self._spans.stale - time.time()
            kept = remembered.model_copy(update={"failure": failure})
            self._keep(key, kept, left)
        else:
            self._keep(key, _Memory(failure=failure), _FAILURE_SECONDS)

    def _recall(self, key: str) -> _Memory:
        text = self._store.get(key)
        if text is not None:
            try:
                return _MEMORY.validate_json(text)
            except ValidationError:
                self._store.forget([key])  # written by another version
        return _Memory()

    def _keep(self, key: str, memory: _Memory, seconds: float) -> None:
        self._store.put({key: _MEMORY.dump_json(memory).decode()}, seconds)


@contextmanager
def _place_in(room: threading.Semaphore, source: str, username: str) -> Iterator[None]:
    if not room.acquire(blocking=False):
        raise RateLimited(source=source, username=username, retry_after=CROWDED_SECONDS)
    try:
        yield
    finally:
        room.release()
