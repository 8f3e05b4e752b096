"""What a request is called: its id, and its address without what a visitor put into it."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

from flask import Flask, Response, g, request

from app.observability.logs import current_request_id

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{6,64}")


def init_app(app: Flask) -> None:
    """Give every request of ``app`` an id: its own if it has a usable one."""
    app.before_request(_begin_request)
    app.after_request(_send_request_id)
    app.teardown_request(_clear_request_id)


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


def _send_request_id(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = g.request_id
    return response


def _clear_request_id(_error: BaseException | None) -> None:
    current_request_id.set("")
