"""Gets JSON objects from a service, with all the patience that a page for a visitor has not.

One request with its quick repeats is `app.lists.http_client`'s; the long waits are `patience`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from pydantic import TypeAdapter

from app.lists.errors import SourceDown
from app.lists.http_client import Deadline, HttpLimits, HttpResponse, SourceClient
from app.lists.payload import is_html, try_parse_payload
from app.upstream.rate_limiter import RateLimiter
from model_build.collect.backoff import Backoff

CLIENT_LIMITS = HttpLimits(
    read_timeout=60.0, max_body_bytes=128 * 1024 * 1024, max_throttle_wait=3600.0
)
REQUEST_SECONDS = 180.0
"""What one request may take, with its quick repeats."""

_JSON_OBJECT = TypeAdapter(dict[str, Any])


class RequestFailed(Exception):  # noqa: N818 -- it names the state, not a mistake
    """No useful answer came; a later try may get one."""


class RequestRejected(Exception):  # noqa: N818
    """The service's own word is no; ``status`` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class JsonClient:
    """Asks one service, each time when ``turn`` says so."""

    def __init__(
        self, source: str, session: requests.Session, throttle: RateLimiter | None, backoff: Backoff
    ) -> None:
        self._client = SourceClient(source, session, CLIENT_LIMITS, throttle, source.lower())
        self._backoff = backoff

    def get_json(
        self, url: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, Any]:
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
                raise self._record_failure(
                    "timed out" if error.timed_out else "connection lost"
                ) from error
            asked = reply.retry_after()
            if reply.status != 429 and (reply.status != 503 or asked is None):
                break
            self._backoff.wait_for_rate_limit(asked)
        if reply.status >= 500:
            raise self._record_failure(f"HTTP {reply.status}")
        found = None if is_html(reply) else try_parse_payload(_JSON_OBJECT, reply)
        if found is None:
            raise self._record_failure(f"no JSON in an answer with HTTP {reply.status}")
        self._backoff.record_success()
        if reply.status != 200:
            raise RequestRejected(reply.status)
        return found

    def _send(self, url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> HttpResponse:
        return self._client.send(
            "GET",
            url,
            username="",
            deadline=Deadline(REQUEST_SECONDS),
            params=query,
            headers=headers,
        )

    def _record_failure(self, why: str) -> RequestFailed:
        self._backoff.record_failure(why)
        return RequestFailed(why)
