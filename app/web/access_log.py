"""One log line a request, with the route's pattern in place of the address.

Addresses here hold usernames, and a username says what a person watches. So what is logged is
``GET /user/<source>/<path:username> 200 41 ms``.
"""

from __future__ import annotations

import logging
import secrets
import time

from flask import Flask, Response, g, request

log = logging.getLogger("hakken.access")


def init_app(app: Flask) -> None:
    """Log every request of ``app``."""
    app.before_request(_start)
    app.after_request(_write)


def _start() -> None:
    g.started = time.perf_counter()
    g.request_id = secrets.token_hex(6)


def _write(response: Response) -> Response:
    rule = request.url_rule.rule if request.url_rule else "(no such page)"
    if request.endpoint != "static":
        spent = (time.perf_counter() - g.started) * 1000
        log.info("%s %s %d %.0f ms", request.method, rule, response.status_code, spent)
    return response
