"""How Hakken treats the services that it asks: remembers, waits its turn, and lets the sick rest.

Nothing here knows what a list is. Each part works for all workers of a host through files, and for
all hosts through Redis when there is one (`Shared`).
"""

from __future__ import annotations

from app.upstream.circuit_breaker import CircuitOpen, ServiceBreaker
from app.upstream.rate_limiter import BucketRateLimiter, RateLimit, RateLimitReached
from app.upstream.shared_storage import SharedStorage
from app.upstream.single_flight import SingleFlight
from app.upstream.ttl_store import TtlStore

__all__ = [
    "BucketRateLimiter",
    "CircuitOpen",
    "RateLimit",
    "RateLimitReached",
    "ServiceBreaker",
    "SharedStorage",
    "SingleFlight",
    "TtlStore",
]
