"""A page in two parts: its frame while the list is read, the rest when the list is there.

Between them goes one line of words whenever there is news, as plain HTML, so that nothing of it
needs a script: the stylesheet shows the last line, and hides them all once the rest has arrived.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Response, render_template, request, stream_with_context
from markupsafe import escape
from werkzeug.wrappers import Response as AnyResponse

from app.lists.entry import AnimeList
from app.translation import gettext, ngettext
from app.web.addresses import current_address
from app.web.errors import error_page_end
from app.web.presenters.text import list_progress_text
from app.web.requests.query import QueryOptions
from app.web.services.user_lists import ListFetch, UserRef
from app.web.state import get_app_state
from app.web.views.responses import user_page_url

HEARTBEAT_SECONDS = 5.0
"""Seconds without news after which the words say that it still goes on. Writing them is also how
a server notices that the visitor has left."""

_WAITING_END = "</div>\n</section>\n"


@dataclass(frozen=True, slots=True)
class ListPage(ABC):
    """A page about the list of a user."""

    user: UserRef
    options: QueryOptions

    @abstractmethod
    def render(self, anime_list: AnimeList, part: str | None = None) -> str | AnyResponse:
        """Render the page, or only what comes after its frame (``part`` "end")."""

    def respond(self, *, stream: bool = True) -> str | AnyResponse:
        """Answer with the page; in two parts if the list takes long and ``stream`` allows it."""
        fetching = ListFetch(self.user)
        # What only asks for the status must have the right one.
        stream = stream and request.method != "HEAD"
        # Who turns out to be signed in no longer has to be told so in a header.
        stream = stream and self.user.token is None
        if not stream or fetching.wait(get_app_state().settings.list_grace):
            return self.render(fetching.result())
        response = Response(stream_with_context(self._chunks(fetching)), mimetype="text/html")
        response.headers["X-Accel-Buffering"] = "no"  # tells nginx to pass it on at once
        return response

    def _chunks(self, fetching: ListFetch) -> Iterator[str]:
        began = time.monotonic()
        again = current_address()
        user, endpoint = self.user, "pages.show_user_recommendations"
        picks = user_page_url(endpoint, user.source.slug, user.username, self.options)
        start = render_template("waiting.html", part="start", user=user, again=again, picks=picks)
        last_words = ""
        for progress in fetching.progress_updates(HEARTBEAT_SECONDS):
            if progress:
                words = last_words = list_progress_text(progress, self.user.source.name)
            else:
                seconds = round(time.monotonic() - began)
                lasted = ngettext("%(count)s second so far.", "%(count)s seconds so far.", seconds)
                words = f"{last_words} {lasted}"
            yield f"{start}<p>{escape(words)}</p>\n"
            start = ""
        closing_words = gettext("The list has arrived.")
        try:
            end = self.render(fetching.result(), "end")
            assert isinstance(end, str)
        except Exception as error:
            end, closing_words = error_page_end(error), gettext("The list could not be read.")
        yield f"<p>{closing_words}</p>\n{_WAITING_END}{end}"
