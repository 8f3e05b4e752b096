"""How much one client may ask for, in fixed windows.

Counted in this process, or for all hosts where there is a Redis; in this process again for as long
as the Redis is gone. Clients are known by a hash of their address.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Response, current_app, request
from limits import RateLimitItem, parse_many
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
    limits = {
        # The shortest first: what it refuses does not count against a day's.
        cost: sorted(parse_many(rate), key=RateLimitItem.get_expiry)
        for cost, rate in rates.items()
        if rate != RATE_LIMIT_OFF
    }
    if not limits:
        return
    if not settings.trusted_proxies:
        app.before_request(_UndeclaredProxyWarning().check)
    shared_storage = SharedStorage(settings.cache_dir, settings.cache_url)
    app.before_request(_RateLimits(limits, shared_storage).check)


class _RateLimits:
    """Counts what clients ask for against the limits of what it costs."""

    def __init__(
        self, limits: Mapping[Cost, Sequence[RateLimitItem]], shared_storage: SharedStorage
    ) -> None:
        self._limits = limits
        self._own_counts = MemoryCounts()
        self._shared_counts = _open_shared_counts(shared_storage)
        self._redis_errors = shared_storage.redis_errors
        self._redis_is_gone = False

    def check(self) -> Response | None:
        """Count a request, before it is answered; refuse it if it is one too many."""
        # What leads nowhere has no view, and a view may have been forgotten.
        view = current_app.view_functions.get(request.endpoint or "")
        cost = (view and cost_of(view)) or Cost.PAGE
        if cost not in self._limits:
            return None
        wait = self._count(self._limits[cost], hashed_key("client", cost, client_address()))
        return None if wait is None else error_response(ClientRateLimited(wait))

    def _count(self, limits: Sequence[RateLimitItem], client: str) -> int | None:
        """Return the seconds to wait, None for none."""
        if self._shared_counts is not None:
            try:
                wait = _count_in(self._shared_counts, limits, client)
            except self._redis_errors as error:
                if not self._redis_is_gone:
                    log.warning("the Redis is gone (%s); each worker limits by itself", error)
                self._redis_is_gone = True
            else:
                self._redis_is_gone = False
                return wait
        return _count_in(self._own_counts, limits, client)


def _open_shared_counts(shared_storage: SharedStorage) -> Storage | None:
    redis = shared_storage.redis
    if redis is None:
        return None
    from limits.storage import RedisStorage

    # The same Redis as everything else, with its patience.
    return RedisStorage("redis://", connection_pool=redis.connection_pool, key_prefix="hakken")


def _count_in(counts: Storage, limits: Sequence[RateLimitItem], client: str) -> int | None:
    for limit in limits:
        key, longest = limit.key_for(client), limit.get_expiry()
        if counts.incr(key, longest) > limit.amount:
            left = math.ceil(counts.get_expiry(key) - time.time())
            return min(max(left, 1), longest)
    return None


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

    What has expired is dropped when something is counted, at most once in `_DROP_SECONDS`. A window
    that ends later than one that begins now is from before the clock was set back, and over.
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
            if not now < self._drop_at <= now + _DROP_SECONDS:
                self._counts = {k: each for k, each in self._counts.items() if each[1] > now}
                self._drop_at = now + _DROP_SECONDS
            count, end = self._counts.get(key, (0, 0.0))
            goes_on = now < end <= now + expiry
            count, end = (count + amount, end) if goes_on else (amount, now + expiry)
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
