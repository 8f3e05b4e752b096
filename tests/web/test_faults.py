"""What breaks around a real server while it serves."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.redis_server import running_redis
from tests.web.fans import SCORED
from tests.web.server import at, running_hakken


@pytest.fixture
def fans(upstream: FakeUpstream) -> FakeUpstream:
    for number in range(20):
        upstream.add_user(f"Fan{number}", [DemoEntry(n, 7) for n in SCORED])
    return upstream


def ask(base: str, name: str) -> requests.Response:
    query = {"source": "anilist", "username": name}
    return requests.get(f"{base}/api/v1/recommendations", query, timeout=120)


def test_a_worker_that_is_killed_takes_only_its_own_requests_with_it(
    fans: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    environment = {**fans.environment(), "WEB_CONCURRENCY": "1"}
    with (
        running_hakken(at(tiny_model, tmp_path) | environment) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        assert ask(server.url, "Fan0").status_code == 200
        held = fans.hold_responses("Fan19")
        waiting = pool.submit(ask, server.url, "Fan19")
        assert held.wait_reached()
        (worker,) = server.workers()
        worker.kill()
        # Its visitor sees the connection end, and does not wait for ever.
        assert isinstance(waiting.exception(timeout=120), requests.ConnectionError)
        held.open()
        server.wait_for("Booting worker", times=2)
        # What it had locked is free again, and what was remembered is still there.
        asked_before = len(fans.requests)
        assert ask(server.url, "Fan0").status_code == 200
        assert len(fans.requests) == asked_before
        assert ask(server.url, "Fan19").status_code == 200
        assert requests.get(f"{server.url}/readyz", timeout=120).status_code == 200


def test_nobody_waits_behind_a_slow_site_while_another_worker_is_free(
    fans: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    environment = {**fans.environment(), "WEB_CONCURRENCY": "2", "HAKKEN_THREADS": "1"}
    environment["HAKKEN_LIST_DEADLINE"] = "60"
    with (
        running_hakken(at(tiny_model, tmp_path) | environment) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        held = fans.hold_responses("Fan19")
        waiting = pool.submit(ask, server.url, "Fan19")
        assert held.wait_reached()
        for _ in range(30):  # a connection each, which either worker could take
            assert requests.get(f"{server.url}/healthz", timeout=120).status_code == 200
        assert not waiting.done()
        held.open()
        assert waiting.result(timeout=120).status_code == 200


def test_who_keeps_a_thread_busy_keeps_nobody_out(tiny_model: Path, tmp_path: Path) -> None:
    environment = {"WEB_CONCURRENCY": "1", "HAKKEN_THREADS": "1"}
    probe, times = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 1000
    mark = b"HTTP/1.1 200"
    with (
        running_hakken(at(tiny_model, tmp_path) | environment) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=120) as greedy,
        ThreadPoolExecutor(1) as pool,
    ):
        greedy.sendall(probe * times)  # the next request is always there already
        answered, sent, tail = 0, times, b""

        def read_answers() -> None:
            nonlocal answered, tail
            piece = tail + greedy.recv(65_536)
            answered += piece.count(mark)
            tail = piece[1 - len(mark) :]

        while answered < times // 10:
            read_answers()
        other = pool.submit(requests.get, f"{server.url}/healthz", timeout=120)
        while not other.done():
            read_answers()
            if sent - answered < times:
                greedy.sendall(probe * times)
                sent += times
        assert other.result().status_code == 200


def test_a_redis_that_disappears_is_no_visitor_s_trouble(
    fans: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "redis").mkdir()
    with ExitStack() as stack:
        first = ExitStack()
        url = first.enter_context(running_redis(tmp_path / "redis"))
        environment = {
            **fans.environment(),
            "HAKKEN_CACHE_URL": url,
            "HAKKEN_RATE_LISTS": "25/minute",
            "WEB_CONCURRENCY": "1",
        }
        server = stack.enter_context(
            running_hakken(at(tiny_model, tmp_path / "cache") | environment)
        )
        assert ask(server.url, "Fan0").status_code == 200
        asked = len(fans.requests)
        assert ask(server.url, "Fan0").status_code == 200
        assert len(fans.requests) == asked
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda n: ask(server.url, f"Fan{n}"), range(1, 11))
            first.close()  # in the middle of them
            assert {answer.status_code for answer in answers} == {200}
        # Without it nothing is remembered, but everything is answered, and limits are kept.
        assert ask(server.url, "Fan11").status_code == 200
        statuses = [ask(server.url, "Fan12").status_code for _ in range(30)]
        assert set(statuses) == {200, 429}
        assert requests.get(f"{server.url}/readyz", timeout=120).status_code == 200
        assert "Traceback" not in server.said
    assert "ConnectionError" in server.said


def test_a_redis_that_hangs_is_no_visitor_s_trouble(
    fans: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen(64)  # takes connections and never says a word
        environment = {**fans.environment(), "HAKKEN_CACHE_URL": f"unix://{tmp_path}/silent.sock"}
        with running_hakken(at(tiny_model, tmp_path / "cache") | environment) as server:
            assert ask(server.url, "Fan0").status_code == 200
    assert "TimeoutError" in server.said


def test_a_full_disk_is_no_visitor_s_trouble(
    fans: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    # Files can be made, but the kernel refuses every byte that is written to one.
    full = ("sh", "-c", 'ulimit -f 0 && exec "$@"', "sh")
    environment = {**fans.environment(), "HAKKEN_LIMITS": "1"}
    with running_hakken(at(tiny_model, tmp_path) | environment, *full) as server:
        for number in range(3):
            assert ask(server.url, f"Fan{number}").status_code == 200
        assert requests.get(f"{server.url}/api/v1/details?ids=1,2", timeout=120).status_code == 200
    assert "the cache could not be" in server.said
    assert "requests could not be counted" in server.said
    assert "Traceback" not in server.said
