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

from app.logs import request_id
from app.web.clients import PROBES

log = logging.getLogger("hakken.access")

HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{6,64}")


def init_app(app: Flask) -> None:
    """Give every request of ``app`` an id, and log it."""
    app.before_request(_start)
    app.after_request(_write)
    app.teardown_request(_forget)


def route() -> str:
    """What may be said of the address of the current request."""
    return request.url_rule.rule if request.url_rule else "(no such page)"


def at_end(response: Response, then: Callable[[], None]) -> None:
    """Call ``then`` when a response is all made: now, unless it is made while it is sent."""
    if response.is_streamed and not response.direct_passthrough:
        response.call_on_close(then)
    else:
        then()


def _start() -> None:
    given = request.headers.get(HEADER, "")
    g.started = time.perf_counter()
    g.request_id = given if _WELL_FORMED.fullmatch(given) else secrets.token_hex(6)
    request_id.set(g.request_id)


def _write(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    if request.endpoint != "static":
        facts = {"method": request.method, "route": route(), "status": response.status_code}
        # Asked every few seconds, for as long as Hakken runs.
        level = logging.DEBUG if request.endpoint in PROBES else logging.INFO
        at_end(response, partial(_line, level, g.started, facts | {"request_id": g.request_id}))
    return response


def _line(level: int, started: float, facts: dict[str, Any]) -> None:
    spent = (time.perf_counter() - started) * 1000
    told = (facts["method"], facts["route"], facts["status"], spent)
    log.log(level, "%s %s %d %.0f ms", *told, extra={**facts, "milliseconds": round(spent, 1)})


def _forget(_error: BaseException | None) -> None:
    request_id.set("")
