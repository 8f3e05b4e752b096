"""Two real workers of a real server: what they share, seen from the service that they ask."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.redis_server import running_redis
from tests.web.fans import SCORED
from tests.web.server import running_hakken


@pytest.mark.parametrize("shared", ["files", "redis"])
def test_workers_fetch_once_and_count_together(
    shared: str, upstream: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    for number in range(9):
        upstream.add_user(f"Fan{number}", [DemoEntry(n, 7) for n in SCORED])
    environment = {
        "HAKKEN_MODEL": str(tiny_model),
        "HAKKEN_ANILIST_URL": upstream.base_url("anilist"),
        "HAKKEN_CACHE_DIR": str(tmp_path / "cache"),
        # So short that nobody waits for a turn.
        "HAKKEN_LIST_DEADLINE": "1",
    }

    def ask(base: str, name: str) -> int:
        query = {"source": "anilist", "username": name}
        return requests.get(f"{base}/api/v1/recommendations", query, timeout=30).status_code

    def check() -> None:
        with running_hakken(environment) as server, ThreadPoolExecutor(10) as pool:
            base = server.url
            assert set(pool.map(lambda _: ask(base, "Fan0"), range(20))) == {200}
            assert len(upstream.requests) == 1
            # AniList is asked five times in ten seconds, whoever of the workers does it.
            statuses = list(pool.map(lambda n: ask(base, f"Fan{n}"), range(1, 9)))
            assert sorted(set(statuses)) == [200, 503]
            assert len(upstream.requests) <= 6

    if shared == "files":
        check()
    else:
        with running_redis(tmp_path) as url:
            environment["HAKKEN_CACHE_URL"] = url
            check()
            assert not (tmp_path / "cache" / "lists.sqlite").exists()


def test_workers_share_what_was_opened_before_they_were_forked(tiny_model: Path) -> None:
    with running_hakken({"HAKKEN_MODEL": str(tiny_model)}) as server:
        for _ in range(300):
            assert requests.get(f"{server.url}/example", timeout=30).status_code == 200
        for worker in server.workers():
            memory = worker.memory_full_info()
            # With garbage collections over everything it would be most of what is not libraries.
            assert memory.uss < memory.rss / 3
