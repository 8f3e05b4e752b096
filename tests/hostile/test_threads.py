"""Connections that cost nothing, and lists that many wait for: who else comes is still answered."""

from __future__ import annotations

import socket
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.web.server import Server, at, running_hakken

ONE_WORKER = {"WEB_CONCURRENCY": "1"}
THREADS, MAY_WAIT = 8, 6
TABS = 16


def others_are_answered(server: Server) -> None:
    for path in ("/healthz", "/readyz", "/about", "/picks/1-9"):
        assert requests.get(server.url + path, timeout=120).status_code == 200


def test_connections_that_say_nothing_hold_no_thread(tiny_model: Path, tmp_path: Path) -> None:
    with running_hakken(at(tiny_model, tmp_path) | ONE_WORKER) as server, ExitStack() as opened:
        for _ in range(48):
            silent = socket.create_connection(("127.0.0.1", server.port), timeout=120)
            opened.enter_context(silent)
        others_are_answered(server)


@pytest.mark.parametrize("kind", ["one name", "many names", "many sites", "pages of one name"])
def test_those_who_wait_for_lists_leave_threads_to_others(
    kind: str, upstream: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    names = [f"Waited{number}" if kind.startswith("many") else "Waited" for number in range(TABS)]
    sites = ("anilist", "kitsu") if kind == "many sites" else ("anilist",)
    gates = []
    for name in dict.fromkeys(names):
        upstream.add_user(name, [DemoEntry(5, score=8)])
        gates.append(upstream.hold_responses(name))
    environment = at(tiny_model, tmp_path) | upstream.environment() | ONE_WORKER
    environment["HAKKEN_LIST_DEADLINE"] = "60"  # nobody who waits is done before the others
    address = "/api/v1/recommendations?source={}&username={}"
    if kind == "pages of one name":
        environment["HAKKEN_LIST_GRACE"] = "120"
        address = "/user/{}/{}"
    with running_hakken(environment) as server, ThreadPoolExecutor(TABS) as visitors:

        def ask(number: int) -> int:
            place = address.format(sites[number % len(sites)], names[number])
            return requests.get(server.url + place, timeout=120).status_code

        asked = [visitors.submit(ask, number) for number in range(TABS)]
        try:
            most = 4 if kind == "many names" else MAY_WAIT  # of one site, half of the threads
            turned_away = finished(asked, TABS - most)
            assert {each.result() for each in turned_away} == {503}
            others_are_answered(server)
        finally:
            for gate in gates:
                gate.open()
        served = [each.result() for each in asked if each not in turned_away]
        assert served == [200] * most


def finished(asked: list[Future[int]], count: int) -> set[Future[int]]:
    """Those that are answered while the list is held back, as soon as there are so many."""
    done: set[Future[int]] = set()
    while len(done) < count:
        more, _ = wait(set(asked) - done, timeout=120, return_when=FIRST_COMPLETED)
        assert more, f"{len(done)} were answered"
        done |= more
    return done
