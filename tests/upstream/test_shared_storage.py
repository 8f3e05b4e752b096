from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import RedisError

from app.upstream import SharedStorage, SingleFlight, TtlStore
from app.upstream.redis_client import REDIS_RETRY_SECONDS
from app.upstream.shared_storage import hashed_key
from tests.redis_server import running_redis


def connections_to(listening: socket.socket) -> int:
    """How many have connected."""
    listening.setblocking(False)
    taken = 0
    with suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            taken += 1
    return taken


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The address of a Redis to which one can connect, and that never says a word."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "silent.sock"))
        listening.listen(64)
        yield f"unix://{tmp_path}/silent.sock", listening


def test_a_redis_that_hangs_is_waited_for_once(
    silent: tuple[str, socket.socket], tmp_path: Path
) -> None:
    url, listening = silent
    shared = SharedStorage(tmp_path, url)
    assert shared.redis is not None
    store = TtlStore(shared, "lists")
    for _ in range(3):
        assert store.get(hashed_key("a")) is None
        with SingleFlight(shared).lock(hashed_key("a"), 60):
            store.set_many({hashed_key("a"): "x"}, 60)
        with pytest.raises(RedisError):
            shared.redis.ping()
    assert connections_to(listening) == 1


def test_after_its_rest_a_redis_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_redis(tmp_path) as url:
        redis = SharedStorage(tmp_path, url).redis
        assert redis is not None
        assert redis.ping()
    with pytest.raises(RedisError):
        redis.ping()
    with running_redis(tmp_path):
        with pytest.raises(RedisError, match="a moment ago"):
            redis.ping()
        later = time.monotonic() + REDIS_RETRY_SECONDS
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert redis.ping()


def test_without_room_for_locks_everybody_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "locks").write_text("not a folder")
    done = []
    with SingleFlight(SharedStorage(tmp_path)).lock(hashed_key("a"), 60):
        done.append(1)
    assert done == [1]
    assert "a lock could not be had" in caplog.text
