from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.upstream import Breaker, Resting, Shared

Worker = Callable[[], Shared]


def test_after_failures_in_a_row_a_service_rests(worker: Worker) -> None:
    breaker = Breaker(worker(), "anilist", failures=3, rest_seconds=60)
    for failed in (True, True, False, True, True):
        breaker.check()
        breaker.report(failed=failed)
    breaker.check()
    breaker.report(failed=True)
    with pytest.raises(Resting) as caught:
        breaker.check()
    assert 0 < caught.value.seconds <= 60
    breaker.report(failed=False)  # somebody who had asked before: changes nothing
    with pytest.raises(Resting):
        breaker.check()


@pytest.mark.parametrize("failed", [True, False])
def test_after_its_rest_one_answer_decides(worker: Worker, failed: bool) -> None:
    breaker = Breaker(worker(), "anilist", failures=2, rest_seconds=0)
    for _ in range(2):
        breaker.report(failed=True)
    breaker.check()
    breaker.report(failed=failed)
    breaker._rest = 60  # so that the time of this test does not count
    if failed:
        with pytest.raises(Resting):
            breaker.check()
    else:
        breaker.check()


def test_without_redis_everybody_counts_alone(tmp_path: Path) -> None:
    breaker = Breaker(Shared(tmp_path, f"unix://{tmp_path}/no.sock"), "x", 1, 60)
    breaker.check()
    breaker.report(failed=True)
    with pytest.raises(Resting):
        breaker.check()


def test_redis_lets_it_rest_everywhere(redis_url: str, tmp_path: Path) -> None:
    one, other = (Breaker(Shared(tmp_path, redis_url), "shared", 2, 60) for _ in range(2))
    one.report(failed=True)
    other.report(failed=True)
    for breaker in (one, other):
        with pytest.raises(Resting):
            breaker.check()
