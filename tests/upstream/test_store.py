from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.upstream import Shared, Store
from app.upstream.shared import key_of

Worker = Callable[[], Shared]


def test_workers_share_what_is_kept(worker: Worker) -> None:
    one, other = Store(worker(), "lists"), Store(worker(), "lists")
    key, second = key_of("a"), key_of("b")
    assert one.get(key) is None
    one.put({key: "発見 'x'", second: "y"}, 60)
    assert other.get(key) == "発見 'x'"
    other.put({key: "z"}, 60)
    assert one.get(key) == "z"
    one.forget([key, key_of("never there")])
    assert other.get(key) is None
    assert other.get(second) == "y"


def test_tables_do_not_mix(worker: Worker) -> None:
    Store(worker(), "lists").put({key_of("a"): "x"}, 60)
    assert Store(worker(), "details").get(key_of("a")) is None


def test_what_would_end_at_once_is_not_kept(worker: Worker) -> None:
    store = Store(worker(), "lists")
    store.put({key_of("a"): "x"}, 0)
    store.put({}, 60)
    assert store.get(key_of("a")) is None


def test_redis_ends_what_is_kept(redis_url: str, tmp_path: Path) -> None:
    shared = Shared(tmp_path, redis_url)
    assert shared.redis is not None
    shared.redis.flushall()
    Store(shared, "lists").put({key_of("a"): "x"}, 60)
    (name,) = shared.redis.keys()
    assert 0 < shared.redis.ttl(name) <= 60


def test_nothing_outlives_its_time_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(Shared(tmp_path), "lists")
    text = "a list that somebody may not want found"
    store.put({key_of("Someone"): text}, 60)
    file = tmp_path / "lists.sqlite"
    assert text.encode() in file.read_bytes()
    assert b"omeone" not in file.read_bytes()
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert store.get(key_of("Someone")) is None
    assert store.sweep() is None
    assert text.encode() not in file.read_bytes()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM lists").fetchone() == (0,)
    connection.close()


def test_the_next_sweep_is_in_time(tmp_path: Path) -> None:
    store = Store(Shared(tmp_path), "lists")
    store.put({key_of("a"): "x"}, 1_000)
    store.put({key_of("b"): "y"}, 60)
    now = time.time()
    first = store.sweep()
    assert first is not None
    assert first - now == pytest.approx(60, abs=30)
    second = store.sweep(now + 120)
    assert second is not None
    assert second - now == pytest.approx(1_000, abs=30)
    store._sweep_and_go_on()
    assert store._sweeper is not None
    assert store._sweeper.interval == pytest.approx(1_000, abs=30)
    assert store._sweeper.daemon
    store._sweeper.cancel()


def test_a_damaged_file_is_a_miss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "lists.sqlite").write_bytes(b"this is no database" * 100)
    store = Store(Shared(tmp_path), "lists")
    store.put({key_of("a"): "x"}, 60)
    assert store.get(key_of("a")) is None
    assert "the cache could not be read: DatabaseError" in caplog.text


def test_a_deleted_file_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(Shared(tmp_path), "lists")
    store.put({key_of("a"): "x"}, 60)
    (tmp_path / "lists.sqlite").unlink()
    store.put({key_of("a"): "y"}, 60)
    assert "the cache could not be written: OperationalError" in caplog.text
    store.put({key_of("a"): "z"}, 60)
    assert Store(Shared(tmp_path), "lists").get(key_of("a")) == "z"


def test_who_cannot_write_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(Shared(tmp_path), "lists")
    store.put({key_of("a"): "x"}, 60)
    with closing(sqlite3.connect(tmp_path / "lists.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store.put({key_of("a"): "y"}, 60)
    assert "the cache could not be written: OperationalError" in caplog.text
    assert store.get(key_of("a")) == "x"


def test_a_redis_that_is_gone_is_a_miss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(Shared(tmp_path, f"unix://{tmp_path}/nothing.sock"), "lists")
    store.put({key_of("a"): "x"}, 60)
    store.forget([key_of("a")])
    assert store.get(key_of("a")) is None
    assert "the cache could not be read: ConnectionError" in caplog.text


def test_a_folder_that_cannot_be_had_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shared = Shared(tmp_path / "file" / "cache")
    assert shared.folder.parent == tmp_path
    assert shared.folder.stat().st_mode & 0o777 == 0o700
    assert "cannot be written" in caplog.text
    assert Shared(tmp_path / "file" / "cache").folder == shared.folder
    shared.folder.chmod(0o777)  # as somebody might who wants to read along
    assert Shared(tmp_path / "file" / "cache").folder != shared.folder


def test_keys_say_nothing() -> None:
    assert key_of("anilist", "Someone") != key_of("anilistS", "omeone")
    assert "omeone" not in key_of("Someone")
