"""What a request is called, by its id and its route, and what is noted of it: log, count, trace.

Addresses here hold usernames, and a username says what a person watches. So what is logged is
``GET /user/<source>/<path:username> 200 41 ms``. A page that is sent while it is made is logged
when it has been sent.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

from flask import Flask, Response, g, request

from app.observability.logs import current_request_id
from app.observability.metrics import BUGS, REQUEST_SECONDS, REQUESTS
from app.observability.tracing import begin_request
from app.web.middleware.clients import PROBE_ENDPOINTS

log = logging.getLogger("hakken.access")

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{6,64}")
UNTRACED_ENDPOINTS = {"static", *PROBE_ENDPOINTS}
_COUNTED_METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}


def init_app(app: Flask) -> None:
    """Give every request of ``app`` an id, its own if it has a usable one; log, count, trace it."""
    app.before_request(_begin_request)
    app.after_request(_record_when_sent)
    app.teardown_request(_leave_request)


def route_pattern() -> str:
    """Return what may be said of the address of the current request."""
    return request.url_rule.rule if request.url_rule else "(no such page)"


def call_when_sent(response: Response, callback: Callable[[], None]) -> None:
    """Call back when a response is all made: now, unless it is made while it is sent."""
    if response.is_streamed and not response.direct_passthrough:
        response.call_on_close(callback)
    else:
        callback()


def _begin_request() -> None:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    g.started = time.perf_counter()
    g.request_id = given if _REQUEST_ID_PATTERN.fullmatch(given) else secrets.token_hex(6)
    current_request_id.set(g.request_id)
    if request.endpoint not in UNTRACED_ENDPOINTS:
        parent = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
        g.span = begin_request(request.method, route_pattern(), g.request_id, parent)


def _leave_request(_error: BaseException | None) -> None:
    if (span := g.pop("span", None)) is not None:
        span.leave()
    current_request_id.set("")


def _record_when_sent(response: Response) -> Response:
    """Count a request, write its line as far as it may be told of, and end its span, once sent."""
    response.headers[REQUEST_ID_HEADER] = g.request_id
    span = g.get("span")
    route, status, started = route_pattern(), response.status_code, g.started
    method, request_id, endpoint = request.method, g.request_id, request.endpoint
    # Probes ask every few seconds, for as long as Hakken runs.
    level = logging.DEBUG if endpoint in PROBE_ENDPOINTS else logging.INFO

    def record() -> None:
        seconds = time.perf_counter() - started
        counted = method if method in _COUNTED_METHODS else "other"
        REQUESTS.labels(route, counted, str(status)).inc()
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            BUGS.inc()  # a series of its own, there before the first: what begins at 1 has no rate
        REQUEST_SECONDS.labels(route).observe(seconds)
        if span is not None:
            span.end(status)
        if endpoint == "static":
            return
        log.log(
            level,
            "%s %s %d %.0f ms",
            method,
            route,
            status,
            seconds * 1000,
            extra={
                "method": method,
                "route": route,
                "status": status,
                "request_id": request_id,
                "milliseconds": round(seconds * 1000, 1),
            },
        )

    call_when_sent(response, record)
    return response
