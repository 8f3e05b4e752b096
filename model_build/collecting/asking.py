"""Gets JSON objects from a service, with all the patience that a page for a visitor has not.

One request with its quick repeats is `app.lists.http`'s; the long waits are `patience`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from pydantic import TypeAdapter

from app.lists.errors import SourceDown
from app.lists.http import Deadline, Limits, Reply, SourceClient
from app.lists.payload import is_web_page, try_payload
from app.upstream.throttle import Turn
from model_build.collecting.patience import Patience

LIMITS = Limits(read=60.0, body=128 * 1024 * 1024, turn=3600.0)
REQUEST_SECONDS = 180.0
"""What one request may take, with its quick repeats."""

_OBJECT = TypeAdapter(dict[str, Any])


class Unanswered(Exception):  # noqa: N818 -- it names the state, not a mistake
    """No useful answer came; a later try may get one."""


class Refused(Exception):  # noqa: N818
    """The service's own word is no; ``status`` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Asker:
    """Asks one service, each time when ``turn`` says so."""

    def __init__(
        self, source: str, session: requests.Session, turn: Turn | None, patience: Patience
    ) -> None:
        self._client = SourceClient(source, session, LIMITS, turn, source.lower())
        self._patience = patience

    def ask(self, url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
        """The object at an address.

        Raises:
            Refused: a 4xx in the service's own words.
            Unanswered: anything else than an object, several times.
            InputError: the service is gone, or wants rest for longer than there is patience.
        """
        while True:
            try:
                reply = self._send(url, query, headers)
            except SourceDown as error:
                raise self._failed("timed out" if error.timed_out else "connection lost") from error
            asked = reply.retry_after()
            if reply.status != 429 and (reply.status != 503 or asked is None):
                break
            self._patience.rest(asked)
        if reply.status >= 500:
            raise self._failed(f"HTTP {reply.status}")
        found = None if is_web_page(reply) else try_payload(_OBJECT, reply)
        if found is None:
            raise self._failed(f"no JSON in an answer with HTTP {reply.status}")
        self._patience.answered()
        if reply.status != 200:
            raise Refused(reply.status)
        return found

    def _send(self, url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        return self._client.send(
            "GET",
            url,
            username="",
            deadline=Deadline(REQUEST_SECONDS),
            params=query,
            headers=headers,
        )

    def _failed(self, why: str) -> Unanswered:
        self._patience.failed(why)
        return Unanswered(why)
