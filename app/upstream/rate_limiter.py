"""Keeps to what a service allows, counted for all workers together: pyrate-limiter's buckets."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.upstream.shared_storage import SharedStorage, redis_key

if TYPE_CHECKING:
    from pyrate_limiter import AbstractBucket

log = logging.getLogger(__name__)

_MAX_CLOCK_SKEW_MS = 5_000  # by which the clocks of two hosts may differ


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``requests`` in any ``seconds``."""

    requests: int
    seconds: float


class RateLimitReached(Exception):  # noqa: N818 -- it names the state, not a mistake
    """The next request may only go out after ``seconds``, which is longer than one may wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"our own limit is reached for {seconds:.1f} s")
        self.seconds = math.ceil(seconds)


class BucketRateLimiter:
    """The turn of one service, by ``name``; always at once where there are no limits."""

    def __init__(
        self, shared_storage: SharedStorage, name: str, rate_limits: Sequence[RateLimit]
    ) -> None:
        self._shared_storage = shared_storage
        self._name = name
        # The buckets want the shortest interval first.
        self._rate_limits = sorted(rate_limits, key=lambda pace: pace.seconds)
        self._lock = threading.Lock()
        self._bucket: AbstractBucket | None = None

    def acquire(self, max_wait: float) -> None:
        """Return when it is our turn.

        Raises RateLimitReached: that would take more than ``max_wait`` seconds.
        """
        end = time.monotonic() + max_wait
        while pause := self._try_acquire():
            if time.monotonic() + pause > end:
                raise RateLimitReached(pause)
            time.sleep(pause)

    def _try_acquire(self) -> float:
        """Take a turn and return 0, or return how many seconds there are still to wait."""
        if not self._rate_limits:
            return 0.0
        from pyrate_limiter import RateItem  # it imports Redis' library, which takes a while

        try:
            # The lock keeps an answer and the wait that goes with it together.
            with self._lock:
                bucket = self._get_bucket()
                item = RateItem("request", bucket.now())  # type: ignore[no-untyped-call]
                if bucket.put(item):
                    bucket.leak(item.timestamp)
                    return 0.0
                pause = max(int(bucket.waiting(item)), 1)  # type: ignore[arg-type]
                if pause > 1000 * self._rate_limits[-1].seconds + _MAX_CLOCK_SKEW_MS:
                    bucket.flush()  # counted in the future: the clock was set back
                    bucket.put(item)
                    return 0.0
                return pause / 1000
        except self._shared_storage.errors as error:
            # Better one request too many than none at all; next time from the start.
            self._bucket = None
            log.warning("requests could not be counted: %s", type(error).__name__)
            return 0.0

    def _get_bucket(self) -> AbstractBucket:
        if self._bucket is None:
            from pyrate_limiter import Rate, RedisBucket, SQLiteBucket

            rates = [Rate(pace.requests, round(pace.seconds * 1000)) for pace in self._rate_limits]
            redis = self._shared_storage.redis
            if redis is not None:
                key = redis_key("limit", self._name)
                bucket = RedisBucket.init(rates, redis, key)
                assert isinstance(bucket, RedisBucket)
                self._bucket = bucket
            else:
                file = self._shared_storage.folder / f"limit-{self._name}.sqlite"
                self._bucket = SQLiteBucket.init_from_file(
                    rates, db_path=str(file), use_file_lock=True
                )
        return self._bucket
