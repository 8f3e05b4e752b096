"""One log line a request, with the route's pattern in place of the address, and the request's id.

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
from functools import partial
from typing import Any

from flask import Flask, Response, g, request

from app.observability.logs import current_request_id
from app.web.middleware.clients import PROBE_ENDPOINTS

log = logging.getLogger("hakken.access")

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{6,64}")


def init_app(app: Flask) -> None:
    """Give every request of ``app`` an id, and log it."""
    app.before_request(_begin_request)
    app.after_request(_log_response)
    app.teardown_request(_clear_request_id)


def route_pattern() -> str:
    """What may be said of the address of the current request."""
    return request.url_rule.rule if request.url_rule else "(no such page)"


def call_when_sent(response: Response, callback: Callable[[], None]) -> None:
    """Call ``then`` when a response is all made: now, unless it is made while it is sent."""
    if response.is_streamed and not response.direct_passthrough:
        response.call_on_close(callback)
    else:
        callback()


def _begin_request() -> None:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    g.started = time.perf_counter()
    g.request_id = given if _REQUEST_ID_PATTERN.fullmatch(given) else secrets.token_hex(6)
    current_request_id.set(g.request_id)


def _log_response(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = g.request_id
    if request.endpoint != "static":
        fields = {
            "method": request.method,
            "route": route_pattern(),
            "status": response.status_code,
        }
        # Asked every few seconds, for as long as Hakken runs.
        level = logging.DEBUG if request.endpoint in PROBE_ENDPOINTS else logging.INFO
        call_when_sent(
            response,
            partial(_write_log_line, level, g.started, fields | {"request_id": g.request_id}),
        )
    return response


def _write_log_line(level: int, started: float, fields: dict[str, Any]) -> None:
    spent = (time.perf_counter() - started) * 1000
    arguments = (fields["method"], fields["route"], fields["status"], spent)
    log.log(
        level, "%s %s %d %.0f ms", *arguments, extra={**fields, "milliseconds": round(spent, 1)}
    )


def _clear_request_id(_error: BaseException | None) -> None:
    current_request_id.set("")
