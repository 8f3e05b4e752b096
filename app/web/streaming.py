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

from app.lists import Source
from app.lists.entry import FanList
from app.lists.progress import Progress, Report
from app.web.errors import error_ending

BEAT = 5.0
"""Seconds without news after which the words say that it still goes on. Writing them is also how
a server notices that the visitor has left."""

_ASKED = "</div>\n</section>\n"

Page = Callable[[FanList, str], str | AnyResponse]


class Fetching:
    """A list that is being read, in a thread of its own.

    The thread goes on when nobody waits any more: somebody else may, and it has its deadline.
    """

    def __init__(self, fetch: Callable[[Report], FanList]) -> None:
        self._news: SimpleQueue[Progress | None] = SimpleQueue()
        self._found: Future[FanList] = Future()
        self._latest = Progress()
        # What is logged there belongs to the same request.
        read = partial(copy_context().run, self._read, fetch)
        Thread(target=read, name="list", daemon=True).start()

    def _read(self, fetch: Callable[[Report], FanList]) -> None:
        try:
            self._found.set_result(fetch(self._news.put))
        except BaseException as error:
            self._found.set_exception(error)
        finally:
            self._news.put(None)

    def soon(self, seconds: float) -> bool:
        """Wait up to ``seconds``; True when the list is there, or cannot be had."""
        end = time.monotonic() + seconds
        while True:
            try:
                news = self._news.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                return False
            if news is None:
                return True
            self._latest = news

    def news(self, beat: float) -> Iterator[Progress | None]:
        """What is known now, then what is new, and None whenever nothing was for ``beat`` seconds.

        It ends when the list is there or cannot be had.
        """
        yield self._latest
        while True:
            try:
                news = self._news.get(timeout=beat)
            except Empty:
                yield None
                continue
            if news is None:
                return
            if news != self._latest:
                yield news
            self._latest = news

    def result(self) -> FanList:
        """The list, as soon as it is there; raises what reading it raised."""
        return self._found.result()


def stream_page(fetching: Fetching, page: Page, *, name: str, source: Source) -> Response:
    """The page of a list that is still being read; ``page`` makes its end (``part`` "end")."""
    pieces = _pieces(fetching, page, name, source)
    response = Response(stream_with_context(pieces), mimetype="text/html")
    response.headers["X-Accel-Buffering"] = "no"  # tells nginx to pass it on at once
    return response


def _pieces(fetching: Fetching, page: Page, name: str, source: Source) -> Iterator[str]:
    began = time.monotonic()
    start = render_template(
        "waiting.html", part="start", name=name, source=source, again=request.full_path.rstrip("?")
    )
    told = ""
    for progress in fetching.news(BEAT):
        if progress:
            words = told = words_for(progress, source.name)
        else:
            words = f"{told} {time.monotonic() - began:.0f} seconds so far."
        yield f"{start}<p>{escape(words)}</p>\n"
        start = ""
    said = "The list has arrived."
    try:
        end = page(fetching.result(), "end")
        assert isinstance(end, str)
    except Exception as error:
        end, said = error_ending(error), "The list could not be read."
    yield f"<p>{said}</p>\n{_ASKED}{end}"


def words_for(progress: Progress, site: str) -> str:
    """Where reading a list stands, for whoever waits for it."""
    if progress.queued:
        return f"Waiting for another visitor’s request to {site}…"
    if not progress.entries:
        return f"Asking {site} for the list…"
    titles = "title" if progress.entries == 1 else "titles"
    return f"Asking {site}… {progress.entries:,} {titles} so far, page {progress.page}."
