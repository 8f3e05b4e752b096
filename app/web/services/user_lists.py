"""From what was typed to a user of a site, and from there to the list."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread

from app.lists import ListSource
from app.lists.entry import AnimeList, FetchProgress, ListProgressCallback, ignore_progress
from app.lists.errors import BadUsername, EmptyList
from app.observability.metrics import LIST_FETCH_SECONDS
from app.recommender import UserList, WatchStatus
from app.translation import mark
from app.web.requests.query import QueryOptions
from app.web.requests.values import InvalidQuery
from app.web.services.library import Library

MAX_USERNAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class UserRef:
    """A user of a site; ``token`` is there where the user is the visitor, and has signed in."""

    source: ListSource
    username: str
    token: str | None = field(default=None, repr=False)


def get_source(library: Library, slug: str) -> ListSource:
    """Look a site up by its slug. Raises InvalidQuery: there is no such site."""
    try:
        return library.sources[slug]
    except KeyError:
        raise InvalidQuery.not_one_of("source", library.sources) from None


def resolve_user(library: Library, slug: str, typed: str) -> UserRef:
    """Find the user that a visitor means by what was typed.

    A pasted profile address decides by itself, whichever site was chosen beside it. Without a site,
    the first one is meant. Raises InvalidQuery: there is no such site; BadUsername: what was typed
    cannot stand in an address.
    """
    typed = typed.strip()
    for source in library.sources.values():
        if name := source.username_rule.username_in_url(typed):
            return UserRef(source, name)
    source = get_source(library, slug or next(iter(library.sources), ""))
    if not typed:
        raise BadUsername(source=source.name, username="", rule="")
    if len(typed) > MAX_USERNAME_LENGTH:
        shown = typed[:MAX_USERNAME_LENGTH]
        raise BadUsername(source=source.name, username=shown, rule=mark("it is far too long"))
    if set(typed) <= set("./"):
        raise BadUsername(
            source=source.name, username=typed, rule=mark("names hold letters or digits")
        )
    return UserRef(source, typed)


def fetch_list(user: UserRef, on_progress: ListProgressCallback = ignore_progress) -> AnimeList:
    """Fetch the list of a user; one without anime is an empty list, not an error.

    Raises ListError: the list cannot be had for any other reason.
    """
    source = user.source
    try:
        with LIST_FETCH_SECONDS.labels(source.slug).time():
            return source.fetch(user.username, on_progress, user.token)
    except EmptyList as error:
        name, is_private = error.username or user.username, user.token is not None
        return AnimeList(source.slug, name, (), is_private=is_private)


class ListFetch:
    """A list that is being fetched, in a thread of its own.

    The thread goes on when nobody waits any more: somebody else may, and it has its deadline.
    """

    def __init__(self, user: UserRef) -> None:
        self._user = user
        self._progress_queue: SimpleQueue[FetchProgress | None] = SimpleQueue()
        self._future: Future[AnimeList] = Future()
        self._last_progress = FetchProgress()
        # What is logged in the thread belongs to the same request.
        run = copy_context().run
        Thread(target=run, args=(self._fetch,), name="list", daemon=True).start()

    def _fetch(self) -> None:
        try:
            self._future.set_result(fetch_list(self._user, self._progress_queue.put))
        except BaseException as error:
            self._future.set_exception(error)
        finally:
            self._progress_queue.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds``; True when the list is there, or cannot be had."""
        end = time.monotonic() + seconds
        while True:
            try:
                progress = self._progress_queue.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                return False
            if progress is None:
                return True
            self._last_progress = progress

    def progress_updates(self, heartbeat: float) -> Iterator[FetchProgress | None]:
        """Yield the progress now, every change, and None after ``heartbeat`` seconds without one.

        It ends when the list is there or cannot be had.
        """
        yield self._last_progress
        while True:
            try:
                progress = self._progress_queue.get(timeout=heartbeat)
            except Empty:
                yield None
                continue
            if progress is None:
                return
            if progress != self._last_progress:
                yield progress
            self._last_progress = progress

    def result(self) -> AnimeList:
        """Wait for the list, and raise what fetching it raised."""
        return self._future.result()


def to_user_list(anime_list: AnimeList) -> UserList:
    """Convert a list to the recommender's form."""
    user_list = UserList.from_entries(
        [(entry.anime_id, entry.score, entry.status) for entry in anime_list.entries],
        is_partial=anime_list.is_partial,
    )
    return user_list.with_favourites(anime_list.favourites)


def with_seen_marks(user_list: UserList, options: QueryOptions) -> UserList:
    """Add what was marked as seen on the page."""
    if not options.seen:
        return user_list
    columns = (user_list.anime_id, user_list.score, user_list.status)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    seen = [(anime_id, float(score), WatchStatus.COMPLETED) for anime_id, score in options.seen]
    favourites = (
        () if user_list.favourite is None else user_list.anime_id[user_list.favourite].tolist()
    )
    found = UserList.from_entries([*rows, *seen], is_partial=user_list.is_partial)
    return found.with_favourites(favourites)
