"""Gets JSON objects from a service, with long waits when it limits requests or does not answer.

One request with its quick repeats is `app.lists.http_client`'s.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import requests

from app.lists.deadline import Deadline
from app.lists.errors import SourceDown, Trouble
from app.lists.http_client import HttpLimits, SourceClient
from app.lists.payload import is_html, try_parse_payload
from app.upstream import BucketRateLimiter
from model_build.util.errors import InputError

T = TypeVar("T")

INITIAL_DELAY, MAX_DELAY = 5.0, 60.0
"""Seconds, without a Retry-After; each delay is twice the one before."""
MAX_CONSECUTIVE_FAILURES = 20
"""After these the service counts as gone."""
RESUME_HINT = "what came is kept; run the same command again later"


@dataclass(slots=True)
class RequestStats:
    """Requests of this run.

    ``responses`` include those to repeats; of these ``rate_limited`` (429) and ``server_errors``
    (5xx). ``failure_reasons`` count what made a response useless.
    """

    responses: int = 0
    rate_limited: int = 0
    server_errors: int = 0
    seconds_waited: float = 0.0
    failure_reasons: Counter[str] = field(default_factory=Counter)

    def count_responses(self, session: requests.Session) -> None:
        """Count the responses to a session."""

        def count(response: requests.Response, *_: object, **__: object) -> None:
            self.responses += 1
            self.rate_limited += response.status_code == 429
            self.server_errors += response.status_code >= 500

        session.hooks["response"].append(count)


class Backoff:
    """Waits at most ``seconds`` for one response; ``log`` gets a line for each wait."""

    def __init__(
        self,
        source: str,
        stats: RequestStats,
        seconds: float,
        log: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._stats = stats
        self._seconds = seconds
        self._log = log
        self._sleep = sleep
        self._waited = 0.0
        self._pause = INITIAL_DELAY
        self._failures = 0

    def wait_for_rate_limit(self, asked: float | None) -> None:
        """Wait as long as the service asked for, or the next delay.

        Raises
        ------
        InputError
            It has limited requests for longer than ``seconds``.
        """
        wait = max(1.0, asked) if asked is not None else self._next_delay()
        if self._waited + wait > self._seconds:
            raise InputError(
                f"{self._source} wants fewer requests, and still does after "
                f"{self._waited:,.0f} s: {RESUME_HINT}, perhaps with a lower --rate."
            )
        self._waited += wait
        self._wait(wait, f"{self._source} asks for rest: {wait:,.0f} s")

    def record_failure(self, why: str) -> None:
        """Wait because no useful response came, if not for the first time.

        Raises
        ------
        InputError
            It was the `MAX_CONSECUTIVE_FAILURES`-th in a row.
        """
        self._stats.failure_reasons[why] += 1
        self._failures += 1
        if self._failures >= MAX_CONSECUTIVE_FAILURES:
            raise InputError(
                f"{self._source} has failed {self._failures} times in a row ({why}): {RESUME_HINT}."
            )
        if self._failures > 1:
            wait = self._next_delay()
            self._wait(wait, f"{self._source} fails ({why}): {wait:,.0f} s of rest")

    def record_success(self) -> None:
        """Forget the waits so far."""
        self._waited, self._pause, self._failures = 0.0, INITIAL_DELAY, 0

    def _next_delay(self) -> float:
        pause = self._pause
        self._pause = min(2 * pause, MAX_DELAY)
        return pause

    def _wait(self, seconds: float, words: str) -> None:
        self._log(words)
        self._stats.seconds_waited += seconds
        self._sleep(seconds)


CLIENT_LIMITS = HttpLimits(
    read_timeout=60.0, max_body_bytes=128 * 1024 * 1024, max_throttle_wait=3600.0
)
REQUEST_SECONDS = 180.0
"""Of one request with its quick repeats."""


class RequestFailed(Exception):  # noqa: N818 -- it names the state, not a mistake
    """No useful response came; a later try may get one."""


class RequestRejected(Exception):  # noqa: N818
    """The service refuses, with this HTTP ``status``."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class JsonClient:
    """Requests to one service, spaced by ``throttle``."""

    def __init__(
        self,
        source: str,
        session: requests.Session,
        throttle: BucketRateLimiter | None,
        backoff: Backoff,
    ) -> None:
        self._client = SourceClient(source, session, CLIENT_LIMITS, throttle, source.lower())
        self._backoff = backoff

    def get_json(
        self, url: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the object at a URL.

        Raises
        ------
        RequestRejected
            A 4xx in the service's own words.
        RequestFailed
            Anything else than an object, several times.
        InputError
            The service is gone, or wants rest for longer than there is patience.
        """
        return self._request("GET", url, dict[str, Any], headers=headers, params=query)

    def post_json(
        self, url: str, body: Mapping[str, Any], headers: Mapping[str, str], kind: type[T]
    ) -> T:
        """Return what answers an object, as ``kind``; raises what `get_json` does."""
        return self._request("POST", url, kind, headers=headers, json=body)

    def _request(self, method: str, url: str, kind: type[T], **content: Any) -> T:
        while True:
            deadline = Deadline(REQUEST_SECONDS)
            try:
                reply = self._client.send(method, url, username="", deadline=deadline, **content)
            except SourceDown as error:
                raise self._record_failure(
                    "timed out" if error.trouble is Trouble.TIMED_OUT else "connection lost"
                ) from error
            asked = reply.retry_after()
            if reply.status != 429 and (reply.status != 503 or asked is None):
                break
            self._backoff.wait_for_rate_limit(asked)
        if reply.status >= 500:
            raise self._record_failure(f"HTTP {reply.status}")
        wanted = kind if reply.status == 200 else dict[str, Any]
        found = None if is_html(reply) else try_parse_payload(wanted, reply)
        if found is None:
            raise self._record_failure(f"no JSON in an answer with HTTP {reply.status}")
        self._backoff.record_success()
        if reply.status != 200:
            raise RequestRejected(reply.status)
        return cast("T", found)

    def _record_failure(self, why: str) -> RequestFailed:
        self._backoff.record_failure(why)
        return RequestFailed(why)
