"""How every list source is asked: politely, briefly, and never for longer than a deadline.

Reading may be repeated, a GraphQL POST included; what is no reading has limits without retries
(`app.lists.sign_in`). Whether and when is decided by urllib3's ``Retry``; the loop around it is
ours, because ``Retry`` knows no deadline across attempts and reads refused answers without a size
cap.
"""

from __future__ import annotations

import copy
import math
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import (
    InvalidHeader,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.util import Retry

from app.lists.deadline import Deadline, WatchedAdapter
from app.lists.errors import RateLimited, SourceDown, Trouble
from app.observability.metrics import UPSTREAM_CALLS
from app.observability.tracing import upstream_span
from app.upstream import BucketRateLimiter, RateLimitReached

_CHUNK_SIZE = 64 * 1024
_TIMEOUT_ERRORS = (requests.Timeout, ReadTimeoutError, TimeoutError)
_RETRY_STATUSES = frozenset({500, 502, 503, 504})
# Statuses that repeat the same method elsewhere. A 301 or 302 would turn a POST into a GET.
_METHOD_PRESERVING_REDIRECTS = frozenset({307, 308})
_GET_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_URL_IN_MESSAGE = re.compile(r"(url: )\S+", re.I)
# A service that asks for a longer wait than this has made a mistake.
_MAX_RETRY_AFTER = 3600


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one exchange: seconds, bytes and counts.

    ``max_retry_after`` is the longest wait that a service may ask for and that is waited for here;
    ``max_throttle_wait`` the longest wait for our own limit. After longer ones the user may retry.
    """

    connect_timeout: float = 3.0
    read_timeout: float = 10.0
    max_body_bytes: int = 16 * 1024 * 1024
    max_retries: int = 2
    backoff_factor: float = 0.3
    max_retry_after: float = 2.0
    max_redirects: int = 3
    max_throttle_wait: float = 10.0

    def retry_policy(self) -> Retry:
        """Return what may be repeated, and how soon."""
        return Retry(
            total=self.max_retries,
            status_forcelist=_RETRY_STATUSES,
            allowed_methods=("GET", "POST"),
            backoff_factor=self.backoff_factor,
            backoff_jitter=self.backoff_factor,
            retry_after_max=_MAX_RETRY_AFTER,
        )


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer, whatever its status: of ``source``, about ``username``, for errors."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    source: str = ""
    username: str = ""

    def retry_after(self) -> int | None:
        """Seconds of ``Retry-After``, rounded up, at most an hour; None when it says nothing."""
        value = self.headers.get("Retry-After")
        if value is None:
            return None
        try:
            seconds = Retry(retry_after_max=_MAX_RETRY_AFTER).parse_retry_after(value)
        except (InvalidHeader, ValueError, OverflowError):
            return None
        return math.ceil(seconds)


class _NoRedirectSession(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        # requests would read a redirect's body without a size cap, even when told not to follow;
        # SourceClient follows by itself.
        return None


def user_agent(version: str, public_url: str | None) -> str:
    """``Hakken/1.2 (+https://public.url)``, so that a service can see who asks."""
    return f"Hakken/{version} (+{public_url})" if public_url else f"Hakken/{version}"


def create_session(version: str, public_url: str | None) -> requests.Session:
    """Return a session with pooled connections and our name: one a process, for all threads."""
    session = _NoRedirectSession()
    for scheme in ("http://", "https://"):
        session.mount(scheme, WatchedAdapter())
    session.headers["User-Agent"] = user_agent(version, public_url)
    session.headers["Accept"] = "application/json"
    # One user's request must not carry what the answer to another's had set.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return session


TurnTaker = Callable[[float], AbstractContextManager[None]]
"""Waits up to so many seconds to be the only one who asks; raises TimeoutError after that."""


class SourceClient:
    """Asks one service, named ``source`` in errors and ``service`` in metrics.

    ``take_turn`` is for services that are asked one request at a time.
    """

    def __init__(
        self,
        source: str,
        session: requests.Session,
        limits: HttpLimits | None = None,
        rate_limiter: BucketRateLimiter | None = None,
        service: str = "other",
        take_turn: TurnTaker = lambda _: nullcontext(),
    ) -> None:
        self.source = source
        self._service = service
        self._session = session
        self._limits = limits or HttpLimits()
        self._rate_limiter = rate_limiter
        self._take_turn = take_turn

    def send(
        self,
        method: str,
        url: str,
        *,
        username: str,
        deadline: Deadline,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """One answer of any status, after a few retries of lost connections and 5xx.

        ``username`` is only named in errors. Raises SourceDown when no complete answer came, and
        RateLimited when our own limit is used up. Of what is slower than the deadline the
        connection is shut.
        """
        policy = self._limits.retry_policy()
        request = requests.Request(
            method, url, json=json, data=data, params=params, headers=dict(headers or {})
        )
        reply: HttpResponse | None = None
        fault: Exception | None = None
        while True:
            longest = min(self._limits.max_throttle_wait, deadline.remaining())
            with ExitStack() as turn:
                try:
                    turn.enter_context(self._take_turn(longest))
                    if self._rate_limiter is not None:
                        self._rate_limiter.acquire(longest)
                except (RateLimitReached, TimeoutError) as error:
                    if reply is not None or fault is not None:
                        break  # what was heard before says more
                    seconds = error.seconds if isinstance(error, RateLimitReached) else None
                    raise RateLimited(
                        source=self.source, username=username, retry_after=seconds
                    ) from None
                reply, fault = self._try_send(request, username, deadline)
            try:
                policy = policy.increment(method, url, error=fault)
            except (MaxRetryError, ProtocolError):
                break  # the latter where a lost answer to such a method may not be asked for again
            pause = policy.get_backoff_time() if reply is None else self._retry_delay(reply, policy)
            if pause is None or pause >= deadline.remaining():
                break
            time.sleep(pause)
        if reply is None:
            assert fault is not None
            raise self._source_down(fault, username) from fault
        return replace(reply, source=self.source, username=username)

    def _try_send(
        self, request: requests.Request, username: str, deadline: Deadline
    ) -> tuple[HttpResponse | None, Exception | None]:
        """Return a reply, or a fault that may pass by itself."""
        try:
            return self._follow_redirects(request, deadline), None
        except _TIMEOUT_ERRORS as error:
            # Asking a slow service again would only double the user's wait.
            raise self._source_down(error, username, Trouble.TIMED_OUT) from error
        except (requests.ConnectionError, ProtocolError) as error:
            return None, error
        except (requests.RequestException, TransportError, ValueError) as error:
            raise self._source_down(error, username) from error

    def _retry_delay(self, reply: HttpResponse, policy: Retry) -> float | None:
        """Seconds to wait before asking again; None when the reply stands."""
        asked = reply.retry_after()
        if not policy.is_retry("GET", reply.status, has_retry_after=asked is not None):
            return None
        wait = policy.get_backoff_time() if asked is None else float(asked)
        return wait if wait <= self._limits.max_retry_after else None

    def _follow_redirects(self, request: requests.Request, deadline: Deadline) -> HttpResponse:
        """Send, following redirects that stay on the same host."""
        request = copy.copy(request)
        for _ in range(self._limits.max_redirects + 1):
            reply, url = self._send_counted(request, deadline)
            followed = _GET_REDIRECTS if request.method == "GET" else _METHOD_PRESERVING_REDIRECTS
            location = reply.headers.get("Location")
            if reply.status not in followed or location is None:
                return reply
            target = urljoin(url, location)
            if not _same_host(url, target):
                return reply
            request.url, request.params = target, {}
        raise requests.TooManyRedirects("too many redirects")

    def _send_counted(
        self, request: requests.Request, deadline: Deadline
    ) -> tuple[HttpResponse, str]:
        with upstream_span(self._service, request.method or "") as record:

            def count(result: str, status: int | None = None) -> None:
                UPSTREAM_CALLS.labels(self._service, result).inc()
                record(result, status)

            try:
                reply, url = self._send_once(request, deadline)
            except _TIMEOUT_ERRORS:
                count("timeout")
                raise
            except Exception:
                count("lost")
                raise
            count(_result_label(reply.status), reply.status)
        return reply, url

    def _send_once(self, request: requests.Request, deadline: Deadline) -> tuple[HttpResponse, str]:
        """One request and its whole body, and the URL it went to."""
        prepared = self._session.prepare_request(request)
        url = prepared.url or ""
        options = self._session.merge_environment_settings(url, {}, True, None, None)
        left = deadline.require_time_left()
        timeout = (min(self._limits.connect_timeout, left), min(self._limits.read_timeout, left))
        with (
            deadline.watch(),
            self._session.send(
                prepared, timeout=timeout, allow_redirects=False, **options
            ) as response,
        ):
            body = bytearray()
            # read1 returns after one network read; requests' own iterators wait for a full chunk.
            while chunk := response.raw.read1(_CHUNK_SIZE, decode_content=True):
                body += chunk
                if len(body) > self._limits.max_body_bytes:
                    raise ValueError(
                        f"the answer is larger than {self._limits.max_body_bytes} bytes"
                    )
                deadline.require_time_left()
            return HttpResponse(response.status_code, response.headers, bytes(body)), url

    def _source_down(
        self, error: Exception, username: str, trouble: Trouble = Trouble.BROKEN
    ) -> SourceDown:
        if _never_connected(error):
            trouble = Trouble.UNREACHABLE
        # The address says whose list it is, in more spellings than one.
        said = _URL_IN_MESSAGE.sub(r"\1(address)", str(error))
        detail = f"{type(error).__name__}: {said}"
        return SourceDown(source=self.source, username=username, detail=detail, trouble=trouble)


def _never_connected(error: Exception) -> bool:
    """Whether the network is to blame: no name was found, or nobody took the connection."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectionError) and isinstance(reason, NewConnectionError)


def _result_label(status: int) -> str:
    """Return what an answer counts as."""
    if status == 429:
        return "limited"
    return "ok" if status < 400 else "refused" if status < 500 else "failed"


def url_origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: what decides whom a request goes to."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _same_host(current_url: str, target_url: str) -> bool:
    """Whether a redirect stays with the service; going from http to https is staying."""
    current, target = url_origin(current_url), url_origin(target_url)
    upgraded = (current[0], current[2], target[0], target[2]) == ("http", 80, "https", 443)
    return current == target or (upgraded and current[1] == target[1])
