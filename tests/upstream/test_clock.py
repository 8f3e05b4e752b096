"""The clock of a host is set, forwards or back, while Hakken runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine

from app.upstream import Breaker, Pace, Resting, Shared, Store, Throttle, Throttled
from app.upstream.shared import key_of

Worker = Callable[[], Shared]

DAY = 86_400


def test_set_back_nothing_is_kept_for_longer_than_was_promised(tmp_path: Path) -> None:
    store = Store(Shared(tmp_path), "lists", longest=600)
    now = time.time()
    with time_machine.travel(now + DAY, tick=True):
        store.put({key_of("a"): "a list that somebody may not want found"}, 600)
        assert store.get(key_of("a")) is not None
    assert store.get(key_of("a")) is None
    store.sweep()
    assert b"somebody" not in (tmp_path / "lists.sqlite").read_bytes()
    store.put({key_of("a"): "new"}, 600)
    assert store.get(key_of("a")) == "new"


def test_nothing_is_kept_for_longer_than_the_longest(tmp_path: Path) -> None:
    store = Store(Shared(tmp_path), "lists", longest=600)
    store.put({key_of("a"): "x"}, DAY)
    with time_machine.travel(time.time() + 601, tick=True):
        assert store.get(key_of("a")) is None


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_service_rests_no_longer_than_it_should(worker: Worker, jump: int) -> None:
    breaker = Breaker(worker(), f"clock{jump}", failures=1, rest_seconds=60)
    now = time.time()
    with time_machine.travel(now, tick=True):
        breaker.report(failed=True)
        with pytest.raises(Resting):
            breaker.check()
    with time_machine.travel(now + jump, tick=True):
        if jump < 0:
            # How long it has rested is not known any more: it rests once more, from now.
            with pytest.raises(Resting) as caught:
                breaker.check()
            assert caught.value.seconds <= 60
    with time_machine.travel(now + jump + 61, tick=True):
        breaker.check()
        breaker.report(failed=False)
        breaker.check()


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_turns_come_again(worker: Worker, jump: int) -> None:
    throttle = Throttle(worker(), f"clock{jump}", [Pace(2, 60)])
    now = time.time()
    with time_machine.travel(now, tick=True):
        for _ in range(2):
            throttle.wait(0)
        with pytest.raises(Throttled):
            throttle.wait(0)
    with time_machine.travel(now + jump, tick=True):
        throttle.wait(0)
        # Set back, it may count anew once.
        pauses = [throttle._ask() for _ in range(4)]
        assert 0 < pauses[-1] <= 61
