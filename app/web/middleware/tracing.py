"""A span a request, from its headers to the end of what is sent (`app.observability.tracing`)."""

from __future__ import annotations

from flask import Flask, Response, g, request

from app.observability.tracing import begin_request
from app.web.middleware.clients import PROBE_ENDPOINTS
from app.web.middleware.request_context import call_when_sent, route_pattern

UNTRACED_ENDPOINTS = {"static", *PROBE_ENDPOINTS}


def init_app(app: Flask) -> None:
    """Trace the requests of ``app``, but for static files and probes."""
    app.before_request(_begin)
    app.after_request(_end_when_sent)
    app.teardown_request(_leave)


def _begin() -> None:
    if request.endpoint not in UNTRACED_ENDPOINTS:
        parent = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
        g.span = begin_request(request.method, route_pattern(), g.request_id, parent)


def _end_when_sent(response: Response) -> Response:
    span, status = g.get("span"), response.status_code
    if span is not None:
        call_when_sent(response, lambda: span.end(status))
    return response


def _leave(_error: BaseException | None) -> None:
    span = g.pop("span", None)
    if span is not None:
        span.leave()
