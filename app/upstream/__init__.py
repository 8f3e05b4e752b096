"""How Hakken treats the services that it asks: remembers, waits its turn, and lets the sick rest.

Nothing here knows what a list is. Each part works for all workers of a host through files, and for
all hosts through Redis when there is one (`Shared`).
"""

from __future__ import annotations

from app.upstream.breaker import Breaker, Resting
from app.upstream.flight import Flights
from app.upstream.shared import Shared
from app.upstream.store import Store
from app.upstream.throttle import NoThrottle, Pace, Throttle, Throttled

__all__ = [
    "Breaker",
    "Flights",
    "NoThrottle",
    "Pace",
    "Resting",
    "Shared",
    "Store",
    "Throttle",
    "Throttled",
]
