from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.upstream import SharedStorage, SingleFlight
from app.upstream.shared_storage import hashed_key

Worker = Callable[[], SharedStorage]


def test_only_one_works_on_a_thing(worker: Worker) -> None:
    workers = [SingleFlight(worker()) for _ in range(3)]
    inside = most = 0
    guard = threading.Lock()

    def work(number: int) -> None:
        nonlocal inside, most
        with workers[number % 3].lock(hashed_key("a"), 30):
            with guard:
                inside += 1
                most = max(most, inside)
            with guard:
                inside -= 1

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(work, range(60)))
    assert most == 1


def test_who_waits_too_long_is_told(worker: Worker) -> None:
    one, other = SingleFlight(worker()), SingleFlight(worker())
    with one.lock(hashed_key("a"), 5):
        with pytest.raises(TimeoutError), other.lock(hashed_key("a"), 0.05):
            pytest.fail("two at once")
        with other.lock(hashed_key("b"), 5):
            pass
    with other.lock(hashed_key("a"), 0.05):
        pass


def test_only_who_has_to_wait_is_told_before_waiting(worker: Worker) -> None:
    one, other = SingleFlight(worker()), SingleFlight(worker())
    told: list[str] = []
    waiting = threading.Event()

    def wait() -> None:
        told.append("other waits")
        waiting.set()

    def follow() -> None:
        with other.lock(hashed_key("a"), 30, on_wait=wait):
            told.append("other")

    with ThreadPoolExecutor(1) as pool:
        with one.lock(hashed_key("a"), 30, on_wait=lambda: told.append("one waits")):
            following = pool.submit(follow)
            assert waiting.wait(30)
            told.append("one")
        following.result()
    assert told == ["other waits", "one", "other"]


def test_an_error_frees_the_way(worker: Worker) -> None:
    flights = SingleFlight(worker())
    with pytest.raises(KeyError), flights.lock(hashed_key("a"), 5):
        raise KeyError
    with flights.lock(hashed_key("a"), 0.05):
        pass


def test_without_redis_everybody_flies(tmp_path: Path) -> None:
    flights = SingleFlight(SharedStorage(tmp_path, f"unix://{tmp_path}/no.sock"))
    with flights.lock(hashed_key("a"), 5), flights.lock(hashed_key("a"), 5):
        pass


@pytest.mark.parametrize("timeout", [0.0, -3.0])
def test_who_has_no_time_left_does_not_wait_for_ever(worker: Worker, timeout: float) -> None:
    one, other = SingleFlight(worker()), SingleFlight(worker())
    with (
        one.lock(hashed_key("a"), 600),
        pytest.raises(TimeoutError),
        other.lock(hashed_key("a"), timeout),
    ):
        pytest.fail("two at once")
    with other.lock(hashed_key("a"), timeout):
        pass
