from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.upstream import CircuitOpen, ServiceBreaker, SharedStorage

Worker = Callable[[], SharedStorage]


def test_after_failures_in_a_row_a_service_rests(worker: Worker) -> None:
    breaker = ServiceBreaker(worker(), "anilist", max_failures=3, reset_seconds=60)
    for failed in (True, True, False, True, True):
        breaker.raise_if_open()
        breaker.record_outcome(failed=failed)
    breaker.raise_if_open()
    breaker.record_outcome(failed=True)
    with pytest.raises(CircuitOpen) as caught:
        breaker.raise_if_open()
    assert 0 < caught.value.seconds <= 60
    breaker.record_outcome(failed=False)  # somebody who had asked before: changes nothing
    with pytest.raises(CircuitOpen):
        breaker.raise_if_open()


@pytest.mark.parametrize("failed", [True, False])
def test_after_its_rest_one_answer_decides(worker: Worker, failed: bool) -> None:
    breaker = ServiceBreaker(worker(), "anilist", max_failures=2, reset_seconds=0)
    for _ in range(2):
        breaker.record_outcome(failed=True)
    breaker.raise_if_open()
    breaker.record_outcome(failed=failed)
    breaker._reset_seconds = 60  # so that the time of this test does not count
    if failed:
        with pytest.raises(CircuitOpen):
            breaker.raise_if_open()
    else:
        breaker.raise_if_open()


def test_without_redis_everybody_counts_alone(tmp_path: Path) -> None:
    breaker = ServiceBreaker(SharedStorage(tmp_path, f"unix://{tmp_path}/no.sock"), "x", 1, 60)
    breaker.raise_if_open()
    breaker.record_outcome(failed=True)
    with pytest.raises(CircuitOpen):
        breaker.raise_if_open()


def test_redis_lets_it_rest_everywhere(redis_url: str, tmp_path: Path) -> None:
    one, other = (
        ServiceBreaker(SharedStorage(tmp_path, redis_url), "shared", 2, 60) for _ in range(2)
    )
    one.record_outcome(failed=True)
    other.record_outcome(failed=True)
    for breaker in (one, other):
        with pytest.raises(CircuitOpen):
            breaker.raise_if_open()
