"""Two real workers of a real server: what they share, seen from the service that they ask."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, islice
from pathlib import Path

import pytest
import requests

from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.redis_server import running_redis
from tests.web.fans import SCORED
from tests.web.server import at, running_hakken, wait_until


@pytest.mark.parametrize("shared", ["files", "redis"])
def test_workers_fetch_once_and_count_together(
    shared: str, upstream: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    environment = {
        "HAKKEN_MODEL": str(tiny_model),
        "HAKKEN_ANILIST_URL": upstream.base_url("anilist"),
        "HAKKEN_CACHE_DIR": str(tmp_path / "cache"),
        # Shorter than the wait for a turn.
        "HAKKEN_LIST_DEADLINE": "5",
    }

    def ask(base: str, name: str) -> int:
        query = {"source": "anilist", "username": name}
        return requests.get(f"{base}/api/v1/recommendations", query, timeout=120).status_code

    def new_fan(number: int) -> str:
        return upstream.add_user(f"Fan{number}", [DemoEntry(n, 7) for n in SCORED]).name

    def check() -> None:
        fans = (new_fan(number) for number in count())
        # As many at once as one worker lets wait, should the other not be there yet.
        with running_hakken(environment) as server, ThreadPoolExecutor(6) as pool:
            base, first = server.url, next(fans)
            began = time.monotonic()
            assert set(pool.map(lambda _: ask(base, first), range(20))) == {200}
            assert len(upstream.requests) == 1
            # AniList is asked five times in ten seconds, whoever of the workers does it.
            statuses: set[int] = set()
            for _ in range(20):
                statuses.update(pool.map(partial(ask, base), islice(fans, 8)))
                if 503 in statuses:
                    break
            assert statuses == {200, 503}
            turns = 1 + (time.monotonic() - began) // 10
            assert len(upstream.requests) <= 5 * turns + 1

    if shared == "files":
        check()
    else:
        with running_redis(tmp_path) as url:
            environment["HAKKEN_CACHE_URL"] = url
            check()
            assert not (tmp_path / "cache" / "lists.sqlite").exists()


COLLECTING = """
import gc, os, pathlib, signal
def collect(*_):
    gc.collect()
    name = f"{os.getpid()} {'by itself' if gc.isenabled() else 'never'}"
    pathlib.Path(os.environ["COLLECTED"], name).touch()
signal.signal(signal.SIGVTALRM, collect)
"""
"""What Python imports at its start, and workers have from their master."""


def test_workers_share_what_was_opened_before_they_were_forked(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(COLLECTING)
    environment = {**at(tiny_model, tmp_path / "cache"), "COLLECTED": str(tmp_path)}
    with running_hakken(environment | {"PYTHONPATH": str(tmp_path)}) as server:
        for _ in range(8):
            assert requests.get(f"{server.url}/example", timeout=120).status_code == 200
        server.wait_for("Booting worker", times=2)
        for worker in server.workers():
            worker.send_signal(signal.SIGVTALRM)
            # By itself from now on, too: it is put off only while the server starts.
            wait_until((tmp_path / f"{worker.pid} by itself").exists, bool)
            memory = worker.memory_full_info()
            # A collection over everything would make it most of what is not libraries.
            assert memory.uss < memory.rss / 3
