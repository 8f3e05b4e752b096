"""How much one client may ask for, with Flask-Limiter.

Counted in this process, or for all hosts where there is a Redis; in this process again for as long
as the Redis is gone. Clients are known by a hash of their address.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import threading
import time
from functools import partial
from typing import Any

from flask import Flask, Response, current_app, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded
from limits.storage import Storage

from app.settings import RATE_LIMIT_OFF, AppSettings
from app.upstream import SharedStorage
from app.upstream.shared_storage import hashed_key
from app.web.errors import error_response
from app.web.middleware.clients import client_address
from app.web.problems import ClientRateLimited
from app.web.request_costs import Cost, cost_of, unlimited

log = logging.getLogger(__name__)

_DROP_SECONDS = 30.0


def init_app(app: Flask, settings: AppSettings) -> None:
    """Limit what one client may ask of ``app``."""
    unlimited(app.view_functions["static"])
    rates = {Cost.LIST: settings.rate_lists, Cost.PAGE: settings.rate_pages}
    if all(rate == RATE_LIMIT_OFF for rate in rates.values()):
        return
    redis = SharedStorage(settings.shared_cache_dir, settings.cache_url).redis
    # The same Redis as everything else, with its patience.
    options: dict[str, Any] = {"connection_pool": redis.connection_pool} if redis else {}
    limiter = Limiter(
        _hashed_client_key,
        application_limits=[
            ApplicationLimit(
                limit_provider=rate, scope=cost, exempt_when=partial(_costs_other_than, cost)
            )
            for cost, rate in rates.items()
            if rate != RATE_LIMIT_OFF
        ],
        storage_uri="redis://" if redis else "counts://",
        storage_options=options,
        in_memory_fallback_enabled=redis is not None,
        # Of two threads that find the Redis gone at once, one falls back and the other fails.
        swallow_errors=True,
        # An address that leads nowhere has no endpoint, and would be free.
        request_identifier=lambda: request.endpoint or "nowhere",
        key_prefix="hakken",
    )
    limiter.logger.addFilter(_drop_traceback)
    if redis is None:
        app.before_request(_ClockRollbackGuard(limiter).check)
    if not settings.trusted_proxies:
        app.before_request(_UndeclaredProxyWarning().check)
    limiter.init_app(app)
    app.register_error_handler(
        RateLimitExceeded, lambda error: _rate_limit_response(limiter, error)
    )


def _drop_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


def _costs_other_than(cost: Cost) -> bool:
    # What leads nowhere has no view, and a view may have been forgotten.
    view = current_app.view_functions.get(request.endpoint or "")
    return cost != ((view and cost_of(view)) or Cost.PAGE)


def _hashed_client_key() -> str:
    return hashed_key("client", client_address())


def _rate_limit_response(limiter: Limiter, error: RateLimitExceeded) -> Response:
    reached = limiter.current_limit
    longest = error.limit.limit.get_expiry()
    left = math.ceil(reached.reset_at - time.time()) if reached else longest
    return error_response(ClientRateLimited(min(max(left, 1), longest)))


class _ClockRollbackGuard:
    """Forgets what this process counted when the clock is set back: it would count until then."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._offset = time.time() - time.monotonic()

    def check(self) -> None:
        """Look at the clock, before every request."""
        offset = time.time() - time.monotonic()
        if offset < self._offset - 1:
            self._limiter.reset()
        self._offset = offset


class _UndeclaredProxyWarning:
    """Says once that there seems to be a proxy that nobody told us of."""

    def __init__(self) -> None:
        self._warned = False

    def check(self) -> None:
        """Look for what a proxy adds, before every request."""
        if self._warned or "X-Forwarded-For" not in request.headers:
            return
        try:
            near = ipaddress.ip_address(request.remote_addr or "").is_private
        except ValueError:
            return
        if near:
            self._warned = True
            log.warning(
                "requests come through a proxy, so all visitors share one rate limit: "
                "set HAKKEN_TRUSTED_PROXIES to the number of your proxies"
            )


class MemoryCounts(Storage):
    """Counts of fixed windows in this process; that of `limits` starts a thread for each request.

    What has expired is dropped when something is counted, at most once in `_DROP_SECONDS`.
    """

    STORAGE_SCHEME = ["counts"]  # noqa: RUF012 -- as its base has it
    base_exceptions = ()

    def __init__(self, uri: str | None = None, **_: Any) -> None:
        super().__init__(uri)
        self._counts: dict[str, tuple[int, float]] = {}
        self._drop_at = 0.0
        self._lock = threading.Lock()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, and return the count; a window is of ``expiry`` seconds from its first."""
        with self._lock:
            now = time.time()
            if now >= self._drop_at:
                self._counts = {k: each for k, each in self._counts.items() if each[1] > now}
                self._drop_at = now + _DROP_SECONDS
            count, end = self._counts.get(key, (0, 0.0))
            count, end = (amount, now + expiry) if end <= now else (count + amount, end)
            self._counts[key] = count, end
        return count

    def get(self, key: str) -> int:
        """Return what was counted in the window that lasts."""
        count, end = self._counts.get(key, (0, 0.0))
        return count if end > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window ends, in seconds of the epoch."""
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Return that it works."""
        return True

    def reset(self) -> int:
        """Forget all counts."""
        with self._lock:
            forgotten, self._counts, self._drop_at = len(self._counts), {}, 0.0
        return forgotten

    def clear(self, key: str) -> None:
        """Forget one."""
        with self._lock:
            self._counts.pop(key, None)
