"""One log line and one count a request, with the route's pattern in place of the address.

Addresses here hold usernames, and a username says what a person watches. So what is logged is
``GET /user/<source>/<path:username> 200 41 ms``. A page that is sent while it is made is logged
when it has been sent.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from flask import Flask, Response, g, request

from app.observability.metrics import REQUEST_SECONDS, REQUESTS
from app.web.middleware.clients import PROBE_ENDPOINTS
from app.web.middleware.request_context import call_when_sent, route_pattern

log = logging.getLogger("hakken.access")

_COUNTED_METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A request, as far as it may be told of."""

    method: str
    route: str
    status: int
    request_id: str
    started: float
    level: int | None
    """None where nothing is logged: static files."""

    def record(self) -> None:
        """Count the request, and write its line."""
        seconds = time.perf_counter() - self.started
        method = self.method if self.method in _COUNTED_METHODS else "other"
        REQUESTS.labels(self.route, method, str(self.status)).inc()
        REQUEST_SECONDS.labels(self.route).observe(seconds)
        if self.level is None:
            return
        fields = {name: getattr(self, name) for name in ("method", "route", "status", "request_id")}
        log.log(
            self.level,
            "%s %s %d %.0f ms",
            self.method,
            self.route,
            self.status,
            seconds * 1000,
            extra={**fields, "milliseconds": round(seconds * 1000, 1)},
        )


def init_app(app: Flask) -> None:
    """Log and count every request of ``app``."""
    app.after_request(_record_when_sent)


def _record_when_sent(response: Response) -> Response:
    # Probes ask every few seconds, for as long as Hakken runs.
    level = logging.DEBUG if request.endpoint in PROBE_ENDPOINTS else logging.INFO
    entry = _Entry(
        request.method,
        route_pattern(),
        response.status_code,
        g.request_id,
        g.started,
        None if request.endpoint == "static" else level,
    )
    call_when_sent(response, entry.record)
    return response
