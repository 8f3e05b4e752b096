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
from app.lists.entry import AnimeDetails, AnimeList
from app.lists.errors import ListError, RateLimited, SourceDown
from app.lists.progress import FetchProgress, ListProgressCallback
from app.observability.metrics import LIST_CACHE_LOOKUPS
from app.upstream import CircuitOpen, ServiceBreaker, SingleFlight, TtlStore
from app.upstream.shared_storage import hashed_key

BUSY_RETRY_SECONDS = 5
"""When to try again, for those who found no room."""
# Long enough for everybody who was waiting; nobody who comes later is told an old failure.
_FAILURE_TTL = 60
# By which the clocks of two hosts may differ. What is dated further ahead was written before the
# clock was set back, and nobody knows how old it is.
_MAX_CLOCK_SKEW = 5.0
_SHARED_FAILURE_DETAIL: Final = "another request for the same list has just failed"

# What is needed, besides source and username, to say an error again.
_ERROR_ARGUMENTS: Final[dict[type[ListError], tuple[str, ...]]] = {
    errors.UnknownUser: (),
    errors.PrivateList: ("or_refused",),
    errors.NotFoundOrPrivate: (),
    errors.EmptyList: (),
    errors.ListTooLong: ("limit",),
    errors.RateLimited: ("retry_after",),
    errors.SourceDown: ("timed_out", "malformed"),
}
_ERROR_CLASSES = {kind.__name__: kind for kind in _ERROR_ARGUMENTS}


class _CachedError(BaseModel):
    """An error that can be told to others."""

    at: float
    kind: str
    arguments: dict[str, Any]

    @classmethod
    def from_error(cls, error: ListError) -> _CachedError:
        kind = type(error)
        arguments = {name: getattr(error, name) for name in _ERROR_ARGUMENTS[kind]}
        return cls(at=time.time(), kind=kind.__name__, arguments=arguments)

    def to_error(self, source: str, username: str) -> ListError:
        kind = _ERROR_CLASSES[self.kind]
        arguments = dict(self.arguments)
        if kind is SourceDown:
            arguments["detail"] = _SHARED_FAILURE_DETAIL
        return kind(source=source, username=username, **arguments)


class _CachedList(BaseModel):
    """What is remembered of one list."""

    read_at: float = 0.0
    fan_list: AnimeList | None = None
    failure: _CachedError | None = None


_CACHED_LIST_ADAPTER = TypeAdapter(_CachedList)


@dataclass(frozen=True, slots=True)
class CacheTtl:
    """Seconds: how long a list is current, how much longer it may stand in for a sick service."""

    fresh: float = 300.0
    stale: float = 1800.0

    @property
    def max_ttl(self) -> float:
        """How long anything about a list is kept."""
        return max(self.fresh + self.stale, _FAILURE_TTL)


class ListCache:
    """The memory of all sources. ``learn`` is given the details that come along with lists."""

    def __init__(
        self,
        store: TtlStore,
        single_flight: SingleFlight,
        ttl: CacheTtl,
        on_details: Callable[[Sequence[AnimeDetails]], None],
    ) -> None:
        self._store = store
        self._single_flight = single_flight
        self._ttl = ttl
        self._on_details = on_details

    def get_or_fetch(
        self,
        fetch: Callable[[str], AnimeList],
        username: str,
        *,
        source: str,
        service_key: str,
        circuit_breaker: ServiceBreaker,
        semaphore: threading.Semaphore,
        deadline_s: float,
        on_progress: ListProgressCallback,
    ) -> AnimeList:
        """The list, from memory or by ``fetch``; ``place`` tells services of one kind apart.

        Whoever finds no ``room`` among those who ask the service is turned away at once, so that a
        slow one cannot keep all threads of the worker. ``report`` is told when somebody else's
        request is waited for; the rest is ``fetch``'s to tell.

        Raises whatever ListError ``fetch`` does.
        """
        key = hashed_key(service_key, username.casefold())
        began = time.time()
        cached = self._load(key)
        if fresh := self._fresh_list(cached):
            LIST_CACHE_LOOKUPS.labels("hit").inc()
            return fresh
        try:
            with self._single_flight.lock(
                key, deadline_s, on_wait=lambda: on_progress(FetchProgress(queued=True))
            ):
                cached = self._load(key)
                if fresh := self._fresh_list(cached):
                    LIST_CACHE_LOOKUPS.labels("hit").inc()
                    return fresh
                failure = cached.failure
                if failure is not None and began <= failure.at <= time.time() + _MAX_CLOCK_SKEW:
                    raise failure.to_error(source, username)
                try:
                    return self._fetch_and_store(
                        fetch, username, key, source, circuit_breaker, semaphore
                    )
                except ListError as error:
                    self._cache_error(key, cached, error)
                    raise
        except TimeoutError as error:
            down = SourceDown(source=source, username=username, detail=str(error), timed_out=True)
            return self._stale_or_raise(cached, down)
        except (SourceDown, RateLimited) as error:
            return self._stale_or_raise(cached, error)

    def _fetch_and_store(
        self,
        fetch: Callable[[str], AnimeList],
        username: str,
        key: str,
        source: str,
        circuit_breaker: ServiceBreaker,
        semaphore: threading.Semaphore,
    ) -> AnimeList:
        LIST_CACHE_LOOKUPS.labels("miss").inc()
        try:
            circuit_breaker.raise_if_open()
        except CircuitOpen as error:
            raise SourceDown(source=source, username=username, detail=str(error)) from None
        try:
            with _acquire_slot(semaphore, source, username):
                fan_list = fetch(username)
        except RateLimited:
            raise
        except ListError as error:
            circuit_breaker.record_outcome(
                failed=isinstance(error, SourceDown) and not error.malformed
            )
            raise
        circuit_breaker.record_outcome(failed=False)
        self._on_details(fan_list.details)
        fan_list = replace(fan_list, details=())
        entry = _CachedList(read_at=time.time(), fan_list=fan_list)
        self._save(key, entry, self._ttl.fresh + self._ttl.stale)
        return fan_list

    def _fresh_list(self, cached: _CachedList) -> AnimeList | None:
        age = time.time() - cached.read_at
        return cached.fan_list if -_MAX_CLOCK_SKEW <= age < self._ttl.fresh else None

    def _stale_or_raise(self, cached: _CachedList, error: ListError) -> AnimeList:
        """An older list in place of an error that says nothing about the list."""
        age = time.time() - cached.read_at
        if (
            cached.fan_list is None
            or not -_MAX_CLOCK_SKEW <= age < self._ttl.fresh + self._ttl.stale
        ):
            raise error
        LIST_CACHE_LOOKUPS.labels("stale").inc()
        return replace(cached.fan_list, age=max(1, round(age)))

    def _cache_error(self, key: str, cached: _CachedList, error: ListError) -> None:
        if type(error) not in _ERROR_ARGUMENTS:
            return
        failure = _CachedError.from_error(error)
        if isinstance(error, SourceDown | RateLimited) and cached.fan_list is not None:
            remaining = cached.read_at + self._ttl.fresh + self._ttl.stale - time.time()
            updated = cached.model_copy(update={"failure": failure})
            self._save(key, updated, remaining)
        else:
            self._save(key, _CachedList(failure=failure), _FAILURE_TTL)

    def _load(self, key: str) -> _CachedList:
        text = self._store.get(key)
        if text is not None:
            try:
                return _CACHED_LIST_ADAPTER.validate_json(text)
            except ValidationError:
                self._store.delete_many([key])  # written by another version
        return _CachedList()

    def _save(self, key: str, entry: _CachedList, seconds: float) -> None:
        self._store.set_many({key: _CACHED_LIST_ADAPTER.dump_json(entry).decode()}, seconds)


@contextmanager
def _acquire_slot(semaphore: threading.Semaphore, source: str, username: str) -> Iterator[None]:
    if not semaphore.acquire(blocking=False):
        raise RateLimited(source=source, username=username, retry_after=BUSY_RETRY_SECONDS)
    try:
        yield
    finally:
        semaphore.release()
