from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine

from app.upstream import BucketRateLimiter, RateLimit, RateLimitReached, SharedStorage

Worker = Callable[[], SharedStorage]


def test_all_workers_count_together(worker: Worker) -> None:
    one, other = (BucketRateLimiter(worker(), "anilist", [RateLimit(3, 60)]) for _ in range(2))
    with time_machine.travel(time.time(), tick=False):
        for throttle in (one, other, one):
            throttle.acquire(0)
        with pytest.raises(RateLimitReached) as caught:
            other.acquire(1)
    assert caught.value.seconds in (60, 61)  # and a millisecond, rounded up


def test_the_tightest_pace_counts(worker: Worker) -> None:
    throttle = BucketRateLimiter(worker(), "jikan", [RateLimit(2, 600), RateLimit(1, 0.01)])
    for _ in range(2):
        throttle.acquire(60)
    with pytest.raises(RateLimitReached) as caught:
        throttle.acquire(1)
    assert 500 <= caught.value.seconds <= 600


def test_services_have_turns_of_their_own(worker: Worker) -> None:
    BucketRateLimiter(worker(), "anilist", [RateLimit(1, 60)]).acquire(0)
    BucketRateLimiter(worker(), "kitsu", [RateLimit(1, 60)]).acquire(0)


def test_a_short_wait_is_waited_out(worker: Worker) -> None:
    throttle = BucketRateLimiter(worker(), "mal-pages", [RateLimit(1, 0.05)])
    began = time.time()
    for _ in range(3):
        throttle.acquire(60)
    assert time.time() - began >= 0.09  # twice 50 ms, of which a bucket counts whole ones
    with time_machine.travel(time.time() + 1, tick=False):
        throttle.acquire(0)
        with pytest.raises(RateLimitReached):
            throttle.acquire(0)


def test_without_a_count_nobody_is_stopped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    throttle = BucketRateLimiter(
        SharedStorage(tmp_path, f"unix://{tmp_path}/no.sock"), "x", [RateLimit(1, 60)]
    )
    throttle.acquire(0)
    throttle.acquire(0)
    assert "requests could not be counted: ConnectionError" in caplog.text
