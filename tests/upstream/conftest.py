from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.upstream import SharedStorage
from tests.redis_server import running_redis


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["files", "redis"])
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SharedStorage]:
    """Makes what one worker of a host has; all of them share it, through files or Redis."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    made = [SharedStorage(tmp_path, url)]
    if (redis := made[0].redis) is not None:
        redis.flushall()

    def another() -> SharedStorage:
        return SharedStorage(tmp_path, url)

    return another
