"""Fetches a list once for everybody who asks for it at the same time, and remembers it for minutes.

While a service is down, a list that was read a little while ago is given instead, with its age. A
list that was made private or deleted is forgotten at once. A source may have several readers, the
preferred first: while one gives no answer, the next is asked.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from app.lists import errors
from app.lists.entry import (
    AnimeDetails,
    AnimeList,
    FetchProgress,
    ListProgressCallback,
    ignore_progress,
)
from app.lists.errors import (
    ListError,
    NotFoundOrPrivate,
    PrivateList,
    RateLimited,
    SourceDown,
    Trouble,
)
from app.lists.reader import ListReader
from app.lists.service_guard import BUSY_RETRY_SECONDS
from app.observability.metrics import LIST_CACHE_LOOKUPS
from app.upstream import SingleFlight, TtlStore
from app.upstream.shared_storage import hashed_key

log = logging.getLogger(__name__)

# Long enough for everybody who was waiting; nobody who comes later gets an old failure.
_FAILURE_TTL = 60
# By which the clocks of two hosts may differ. What is dated further ahead was written before the
# clock was set back, and nobody knows how old it is.
_MAX_CLOCK_SKEW = 5.0
_PLACE_SECONDS = 0.5
"""How long there may be no place to wait in: most lists are there by then."""
_SHARED_FAILURE_DETAIL: Final = "another request for the same list has just failed"

_CACHED_ERRORS: Final[tuple[type[ListError], ...]] = (
    errors.UnknownUser,
    errors.PrivateList,
    errors.NotFoundOrPrivate,
    errors.EmptyList,
    errors.ListTooLong,
    errors.RateLimited,
    errors.SourceDown,
)
_ERROR_CLASSES = {kind.__name__: kind for kind in _CACHED_ERRORS}


class _CachedError(BaseModel):
    """An error that can be raised for others."""

    at: float
    kind: str
    arguments: dict[str, Any]

    @classmethod
    def from_error(cls, error: ListError) -> _CachedError:
        arguments = {field.name: getattr(error, field.name) for field in fields(error)}
        arguments = {name: arguments[name] for name in arguments.keys() - {"source", "username"}}
        if "detail" in arguments:  # which may say more than others should hear
            arguments["detail"] = _SHARED_FAILURE_DETAIL
        return cls(at=time.time(), kind=type(error).__name__, arguments=arguments)

    def to_error(self, source: str, username: str) -> ListError:
        arguments = dict(self.arguments)
        if "trouble" in arguments:
            arguments["trouble"] = Trouble(arguments["trouble"])
        return _ERROR_CLASSES[self.kind](source=source, username=username, **arguments)


class _CachedList(BaseModel):
    """What is remembered of one list."""

    read_at: float = 0.0
    fan_list: AnimeList | None = None
    failure: _CachedError | None = None

    def age(self) -> float:
        """Seconds since the list was read."""
        return time.time() - self.read_at


@dataclass(frozen=True, slots=True)
class CacheTtl:
    """Seconds: how long a list is current, how much longer it may stand in for a sick service."""

    fresh: float = 300.0
    stale: float = 1800.0

    @property
    def max_ttl(self) -> float:
        """How long anything about a list is stored."""
        return max(self.fresh + self.stale, _FAILURE_TTL)


@dataclass(frozen=True, slots=True)
class ListCache:
    """The lists of one source, from memory or by the first of ``readers`` that answers.

    ``source_key`` tells the lists of different sources apart. ``on_details`` is given the details
    that come along with lists. Whoever has to wait, for a site or for somebody who reads the same
    list, takes one of ``waiting``, which all sources share, or is turned away soon: those who wait
    must not keep all threads.
    """

    readers: tuple[ListReader, ...]
    source_key: str
    store: TtlStore
    single_flight: SingleFlight
    ttl: CacheTtl
    on_details: Callable[[Sequence[AnimeDetails]], None]
    waiting: threading.Semaphore

    @property
    def reader(self) -> ListReader:
        """The preferred reader."""
        return self.readers[0]

    def get_or_read(
        self, typed: str, on_progress: ListProgressCallback = ignore_progress
    ) -> AnimeList:
        """Return the list of a user; ``on_progress`` is also called while others are waited for.

        Raises ListError: whatever the reader does.
        """
        username = self.reader.clean_username(typed)
        ignores_case = self.reader.username_rule.ignores_case
        key = hashed_key(self.source_key, username.casefold() if ignores_case else username)
        began = time.time()
        cached = self._load(key)
        if fresh := self._fresh_list(cached):
            return fresh
        try:
            longest = sum(each.deadline_s for each in self.readers)
            with (
                self._place_to_wait(username),
                self.single_flight.lock(
                    key, longest, on_wait=lambda: on_progress(FetchProgress(queued=True))
                ),
            ):
                cached = self._load(key)
                if fresh := self._fresh_list(cached):
                    return fresh
                failure = cached.failure
                if failure is not None and began <= failure.at <= time.time() + _MAX_CLOCK_SKEW:
                    raise failure.to_error(self.reader.client.source, username)
                try:
                    return self._read_and_store(key, username, on_progress)
                except ListError as error:
                    self._cache_error(key, cached, error)
                    raise
        except TimeoutError as error:
            down = SourceDown(
                source=self.reader.client.source,
                username=username,
                detail=str(error),
                trouble=Trouble.TIMED_OUT,
            )
            return self._stale_or_raise(cached, down)
        except (SourceDown, RateLimited) as error:
            return self._stale_or_raise(cached, error)

    def read_private(
        self, typed: str, token: str, on_progress: ListProgressCallback = ignore_progress
    ) -> AnimeList:
        """Return the list of the fan whose ``token`` it is, private or not; nothing is remembered.

        Raises ListError: whatever the reader does; SignInFailed where the token is no longer
        accepted.
        """
        username = self.reader.clean_username(typed)
        readers = [replace(each, token=token) for each in self.readers if each.takes_token]
        with self._place_to_wait(username):
            anime_list = read_by_first(readers, username, on_progress)
        return replace(anime_list, details=(), is_private=True)

    @contextmanager
    def _place_to_wait(self, username: str) -> Iterator[None]:
        if not self.waiting.acquire(timeout=_PLACE_SECONDS):
            source = self.reader.client.source
            raise RateLimited(source=source, username=username, retry_after=BUSY_RETRY_SECONDS)
        try:
            yield
        finally:
            self.waiting.release()

    def _read_and_store(
        self, key: str, username: str, on_progress: ListProgressCallback
    ) -> AnimeList:
        LIST_CACHE_LOOKUPS.labels("miss").inc()
        anime_list = read_by_first(self.readers, username, on_progress)
        self.on_details(anime_list.details)
        anime_list = replace(anime_list, details=())
        entry = _CachedList(read_at=time.time(), fan_list=anime_list)
        self._save(key, entry, self.ttl.fresh + self.ttl.stale)
        return anime_list

    def _fresh_list(self, cached: _CachedList) -> AnimeList | None:
        if cached.fan_list is None or not -_MAX_CLOCK_SKEW <= cached.age() < self.ttl.fresh:
            return None
        LIST_CACHE_LOOKUPS.labels("hit").inc()
        return cached.fan_list

    def _stale_or_raise(self, cached: _CachedList, error: ListError) -> AnimeList:
        """Return an older list in place of an error that says nothing about the list."""
        age, longest = cached.age(), self.ttl.fresh + self.ttl.stale
        if cached.fan_list is None or not -_MAX_CLOCK_SKEW <= age < longest:
            raise error
        LIST_CACHE_LOOKUPS.labels("stale").inc()
        return replace(cached.fan_list, age=max(1, round(age)))

    def _cache_error(self, key: str, cached: _CachedList, error: ListError) -> None:
        if type(error) not in _CACHED_ERRORS:
            return
        failure = _CachedError.from_error(error)
        if isinstance(error, SourceDown | RateLimited) and cached.fan_list is not None:
            remaining = cached.read_at + self.ttl.fresh + self.ttl.stale - time.time()
            updated = cached.model_copy(update={"failure": failure})
            self._save(key, updated, remaining)
        else:
            self._save(key, _CachedList(failure=failure), _FAILURE_TTL)

    def _load(self, key: str) -> _CachedList:
        text = self.store.get(key)
        if text is not None:
            try:
                return _CachedList.model_validate_json(text)
            except ValidationError:
                self.store.delete_many([key])  # written by another version
        return _CachedList()

    def _save(self, key: str, entry: _CachedList, seconds: float) -> None:
        if seconds > 0:
            self.store.set_many({key: entry.model_dump_json()}, seconds)


def read_by_first(
    readers: Sequence[ListReader], username: str, on_progress: ListProgressCallback
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
                _log_next(each, readers[place + 1], error)
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
