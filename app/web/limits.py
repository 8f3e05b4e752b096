"""How much one client may ask for, with Flask-Limiter.

Counted in this process, or for all hosts where there is a Redis; in this process again for as long
as the Redis is gone. Clients are known by a hash of their address.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import time
from functools import partial
from typing import Any

from flask import Flask, Response, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded

from app.settings import OFF, Settings
from app.upstream import Shared
from app.upstream.shared import key_of
from app.web.clients import PROBES, client
from app.web.errors import answer_error
from app.web.problems import TooFast

log = logging.getLogger(__name__)

LISTS = {"pages.user", "pages.upload", "api.of_user", "api.of_list"}
LISTS |= {"together.pair", "together.of_users", "favourites.of_user"}
LISTS |= {"fans.page", "fans.of_user"}
"""What reads a whole list, from its site or from the request."""
FREE = PROBES | {"static"}


def init_app(app: Flask, settings: Settings) -> None:
    """Limit what one client may ask of ``app``."""
    rates = {"lists": settings.rate_lists, "pages": settings.rate_pages}
    if all(rate == OFF for rate in rates.values()):
        return
    redis = Shared(settings.shared_dir, settings.cache_url).redis
    # The same Redis as everything else, with its patience.
    options: dict[str, Any] = {"connection_pool": redis.connection_pool} if redis else {}
    limiter = Limiter(
        _client_key,
        application_limits=[
            ApplicationLimit(limit_provider=rate, scope=kind, exempt_when=partial(_is_not, kind))
            for kind, rate in rates.items()
            if rate != OFF
        ],
        storage_uri="redis://" if redis else "memory://",
        storage_options=options,
        in_memory_fallback_enabled=redis is not None,
        # Of two threads that find the Redis gone at once, one falls back and the other fails.
        swallow_errors=True,
        # An address that leads nowhere has no endpoint, and would be free.
        request_identifier=lambda: request.endpoint or "nowhere",
        key_prefix="hakken",
    )
    limiter.logger.addFilter(_in_one_line)
    app.before_request(_ClockWatch(limiter).look)
    if not settings.trusted_proxies:
        app.before_request(_ProxyWatch().look)
    limiter.init_app(app)
    app.register_error_handler(RateLimitExceeded, lambda error: _refuse(limiter, error))


def _in_one_line(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


def _kind() -> str:
    if request.endpoint in FREE:
        return "free"
    return "lists" if request.endpoint in LISTS else "pages"


def _is_not(kind: str) -> bool:
    return _kind() != kind


def _client_key() -> str:
    return key_of("client", client())


def _refuse(limiter: Limiter, error: RateLimitExceeded) -> Response:
    reached = limiter.current_limit
    longest = error.limit.limit.get_expiry()
    left = math.ceil(reached.reset_at - time.time()) if reached else longest
    return answer_error(TooFast(min(max(left, 1), longest)))


class _ClockWatch:
    """Forgets what was counted when the clock is set back: it would count until then."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._offset = time.time() - time.monotonic()

    def look(self) -> None:
        """Called before every request."""
        offset = time.time() - time.monotonic()
        if offset < self._offset - 1 and self._limiter._storage_uri == "memory://":
            self._limiter.reset()
        self._offset = offset


class _ProxyWatch:
    """Says once that there seems to be a proxy that nobody told us of."""

    def __init__(self) -> None:
        self._said = False

    def look(self) -> None:
        """Called before every request."""
        if self._said or "X-Forwarded-For" not in request.headers:
            return
        try:
            near = ipaddress.ip_address(request.remote_addr or "").is_private
        except ValueError:
            return
        if near:
            self._said = True
            log.warning(
                "requests come through a proxy, so all visitors share one rate limit: "
                "set HAKKEN_TRUSTED_PROXIES to the number of your proxies"
            )
