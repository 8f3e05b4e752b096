"""How Hakken treats the services that it asks: remembers, waits its turn, and lets the sick rest.

Nothing here knows what a list is. Each part works for all workers of a host through files, and for
all hosts through Redis when there is one (`Shared`).
"""

from __future__ import annotations

from app.upstream.breaker import CircuitOpen, ServiceBreaker
from app.upstream.flight import SingleFlight
from app.upstream.shared import SharedStorage
from app.upstream.store import TtlStore
from app.upstream.throttle import BucketRateLimiter, NoRateLimiter, RateLimit, RateLimitReached

__all__ = [
    "BucketRateLimiter",
    "CircuitOpen",
    "NoRateLimiter",
    "RateLimit",
    "RateLimitReached",
    "ServiceBreaker",
    "SharedStorage",
    "SingleFlight",
    "TtlStore",
]
