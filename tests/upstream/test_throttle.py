from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.upstream import Pace, Shared, Throttle, Throttled

Worker = Callable[[], Shared]


def test_all_workers_count_together(worker: Worker) -> None:
    one, other = (Throttle(worker(), "anilist", [Pace(3, 60)]) for _ in range(2))
    for throttle in (one, other, one):
        throttle.wait(0)
    with pytest.raises(Throttled) as caught:
        other.wait(1)
    assert 55 <= caught.value.seconds <= 60


def test_the_tightest_pace_counts(worker: Worker) -> None:
    throttle = Throttle(worker(), "jikan", [Pace(2, 600), Pace(1, 0.01)])
    for _ in range(2):
        throttle.wait(60)
    with pytest.raises(Throttled) as caught:
        throttle.wait(1)
    assert 500 <= caught.value.seconds <= 600


def test_services_have_turns_of_their_own(worker: Worker) -> None:
    Throttle(worker(), "anilist", [Pace(1, 60)]).wait(0)
    Throttle(worker(), "kitsu", [Pace(1, 60)]).wait(0)


def test_a_short_wait_is_waited_out(worker: Worker) -> None:
    throttle = Throttle(worker(), "mal-pages", [Pace(1, 0.05)])
    for _ in range(3):
        throttle.wait(60)
    with pytest.raises(Throttled):
        throttle.wait(0)


def test_without_a_count_nobody_is_stopped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    throttle = Throttle(Shared(tmp_path, f"unix://{tmp_path}/no.sock"), "x", [Pace(1, 60)])
    throttle.wait(0)
    throttle.wait(0)
    assert "requests could not be counted: ConnectionError" in caplog.text
