"""A page in two parts: its frame while the list is read, the rest when the list is there.

Between them goes one line of words whenever there is news, as plain HTML, so that nothing of it
needs a script: the stylesheet shows the last line, and hides them all once the rest has arrived.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

from flask import Response, render_template, request, stream_with_context
from markupsafe import escape
from werkzeug.wrappers import Response as AnyResponse

from app.lists import ListSource
from app.lists.entry import AnimeList
from app.lists.progress import FetchProgress, ListProgressCallback
from app.web.errors import error_page_end

HEARTBEAT_SECONDS = 5.0
"""Seconds without news after which the words say that it still goes on. Writing them is also how
a server notices that the visitor has left."""

_WAITING_END = "</div>\n</section>\n"

PageRenderer = Callable[[AnimeList, str], str | AnyResponse]


class ListFetch:
    """A list that is being read, in a thread of its own.

    The thread goes on when nobody waits any more: somebody else may, and it has its deadline.
    """

    def __init__(self, fetch: Callable[[ListProgressCallback], AnimeList]) -> None:
        self._progress_queue: SimpleQueue[FetchProgress | None] = SimpleQueue()
        self._future: Future[AnimeList] = Future()
        self._last_progress = FetchProgress()
        # What is logged there belongs to the same request.
        read = partial(copy_context().run, self._run, fetch)
        Thread(target=read, name="list", daemon=True).start()

    def _run(self, fetch: Callable[[ListProgressCallback], AnimeList]) -> None:
        try:
            self._future.set_result(fetch(self._progress_queue.put))
        except BaseException as error:
            self._future.set_exception(error)
        finally:
            self._progress_queue.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds``; True when the list is there, or cannot be had."""
        end = time.monotonic() + seconds
        while True:
            try:
                news = self._progress_queue.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                return False
            if news is None:
                return True
            self._last_progress = news

    def progress_updates(self, heartbeat: float) -> Iterator[FetchProgress | None]:
        """What is known now, then what is new, and None whenever nothing was for ``beat`` seconds.

        It ends when the list is there or cannot be had.
        """
        yield self._last_progress
        while True:
            try:
                news = self._progress_queue.get(timeout=heartbeat)
            except Empty:
                yield None
                continue
            if news is None:
                return
            if news != self._last_progress:
                yield news
            self._last_progress = news

    def result(self) -> AnimeList:
        """The list, as soon as it is there; raises what reading it raised."""
        return self._future.result()


def stream_page(
    fetching: ListFetch, render_page: PageRenderer, *, name: str, source: ListSource
) -> Response:
    """The page of a list that is still being read; ``page`` makes its end (``part`` "end")."""
    pieces = _page_chunks(fetching, render_page, name, source)
    response = Response(stream_with_context(pieces), mimetype="text/html")
    response.headers["X-Accel-Buffering"] = "no"  # tells nginx to pass it on at once
    return response


def _page_chunks(
    fetching: ListFetch, render_page: PageRenderer, name: str, source: ListSource
) -> Iterator[str]:
    began = time.monotonic()
    start = render_template(
        "waiting.html", part="start", name=name, source=source, again=request.full_path.rstrip("?")
    )
    last_words = ""
    for progress in fetching.progress_updates(HEARTBEAT_SECONDS):
        if progress:
            words = last_words = progress_text(progress, source.name)
        else:
            words = f"{last_words} {time.monotonic() - began:.0f} seconds so far."
        yield f"{start}<p>{escape(words)}</p>\n"
        start = ""
    closing_words = "The list has arrived."
    try:
        end = render_page(fetching.result(), "end")
        assert isinstance(end, str)
    except Exception as error:
        end, closing_words = error_page_end(error), "The list could not be read."
    yield f"<p>{closing_words}</p>\n{_WAITING_END}{end}"


def progress_text(progress: FetchProgress, site: str) -> str:
    """Where reading a list stands, for whoever waits for it."""
    if progress.queued:
        return f"Waiting for another visitor’s request to {site}…"
    if not progress.entries:
        return f"Asking {site} for the list…"
    titles = "title" if progress.entries == 1 else "titles"
    return f"Asking {site}… {progress.entries:,} {titles} so far, page {progress.page}."
