"""The clock of a host is set, forwards or back, while Hakken runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine

from app.upstream import (
    BucketRateLimiter,
    CircuitOpen,
    RateLimit,
    RateLimitReached,
    ServiceBreaker,
    SharedStorage,
    TtlStore,
)
from app.upstream.shared_storage import hashed_key

Worker = Callable[[], SharedStorage]

DAY = 86_400


def test_set_back_nothing_is_kept_for_longer_than_was_promised(tmp_path: Path) -> None:
    store = TtlStore(SharedStorage(tmp_path), "lists", max_ttl=600)
    now = time.time()
    with time_machine.travel(now + DAY, tick=True):
        store.set_many({hashed_key("a"): "a list that somebody may not want found"}, 600)
        assert store.get(hashed_key("a")) is not None
    assert store.get(hashed_key("a")) is None
    store.delete_expired()
    assert b"somebody" not in (tmp_path / "lists.sqlite").read_bytes()
    store.set_many({hashed_key("a"): "new"}, 600)
    assert store.get(hashed_key("a")) == "new"


def test_nothing_is_kept_for_longer_than_the_longest(tmp_path: Path) -> None:
    store = TtlStore(SharedStorage(tmp_path), "lists", max_ttl=600)
    store.set_many({hashed_key("a"): "x"}, DAY)
    with time_machine.travel(time.time() + 601, tick=True):
        assert store.get(hashed_key("a")) is None


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_service_rests_no_longer_than_it_should(worker: Worker, jump: int) -> None:
    breaker = ServiceBreaker(worker(), f"clock{jump}", max_failures=1, reset_seconds=60)
    now = time.time()
    with time_machine.travel(now, tick=True):
        breaker.record_outcome(failed=True)
        with pytest.raises(CircuitOpen):
            breaker.raise_if_open()
    with time_machine.travel(now + jump, tick=True):
        if jump < 0:
            # How long it has rested is not known any more: it rests once more, from now.
            with pytest.raises(CircuitOpen) as caught:
                breaker.raise_if_open()
            assert caught.value.seconds <= 60
    with time_machine.travel(now + jump + 61, tick=True):
        breaker.raise_if_open()
        breaker.record_outcome(failed=False)
        breaker.raise_if_open()


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_turns_come_again(worker: Worker, jump: int) -> None:
    throttle = BucketRateLimiter(worker(), f"clock{jump}", [RateLimit(2, 60)])
    now = time.time()
    with time_machine.travel(now, tick=True):
        for _ in range(2):
            throttle.acquire(0)
        with pytest.raises(RateLimitReached):
            throttle.acquire(0)
    with time_machine.travel(now + jump, tick=True):
        throttle.acquire(0)
        # Set back, it may count anew once.
        pauses = [throttle._try_acquire() for _ in range(4)]
        assert 0 < pauses[-1] <= 61
