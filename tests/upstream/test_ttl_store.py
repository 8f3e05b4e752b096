from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from app.upstream import SharedStorage, TtlStore
from app.upstream.shared_storage import hashed_key

Worker = Callable[[], SharedStorage]


def test_workers_share_what_is_kept(worker: Worker) -> None:
    one, other = TtlStore(worker(), "lists"), TtlStore(worker(), "lists")
    key, second = hashed_key("a"), hashed_key("b")
    assert one.get(key) is None
    one.set_many({key: "発見 'x'", second: "y"}, 60)
    assert other.get(key) == "発見 'x'"
    other.set_many({key: "z"}, 60)
    assert one.get(key) == "z"
    one.delete_many([key, hashed_key("never there")])
    assert other.get(key) is None
    assert other.get(second) == "y"


def test_tables_do_not_mix(worker: Worker) -> None:
    TtlStore(worker(), "lists").set_many({hashed_key("a"): "x"}, 60)
    assert TtlStore(worker(), "details").get(hashed_key("a")) is None


def test_what_would_end_at_once_is_not_kept(worker: Worker) -> None:
    store = TtlStore(worker(), "lists")
    store.set_many({hashed_key("a"): "x"}, 0)
    store.set_many({}, 60)
    assert store.get(hashed_key("a")) is None


def test_threads_share_one_store(worker: Worker) -> None:
    one, other = TtlStore(worker(), "lists"), TtlStore(worker(), "lists")
    keys = [hashed_key(str(number)) for number in range(40)]

    def pass_on(key: str) -> str | None:
        one.set_many({key: key * 500}, 60)
        return other.get(key)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(pass_on, keys)) == [key * 500 for key in keys]
    one.delete_many(keys)
    assert [other.get(key) for key in keys] == [None] * len(keys)


def test_a_forked_process_opens_its_own(
    worker: Worker, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    store = TtlStore(worker(), "lists")
    keys = [hashed_key(str(number)) for number in range(3)]
    store.set_many(dict.fromkeys(keys, "before"), 60)

    def go_on(key: str) -> None:
        for number in range(50):
            assert store.get(keys[0]) == "before"
            store.set_many({key: str(number)}, 60)

    forking = multiprocessing.get_context("fork")
    children = [forking.Process(target=go_on, args=(key,)) for key in keys[1:]]
    for child in children:
        child.start()
    for number in range(50):
        store.set_many({hashed_key("of the parent"): str(number)}, 60)
    for child in children:
        child.join(30)
        assert child.exitcode == 0
    assert [store.get(key) for key in keys] == ["before", "49", "49"]
    assert store.get(hashed_key("of the parent")) == "49"
    assert caplog.text == ""
    assert "could not be" not in capfd.readouterr().err


def test_a_file_grows_only_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.upstream.ttl_store.MAX_FILE_BYTES", 200_000)
    store = TtlStore(SharedStorage(tmp_path), "lists")
    store.set_many({hashed_key("a"): "x" * 150_000}, 60)
    store.set_many({hashed_key("b"): "y" * 150_000}, 60)
    assert "the cache could not be written: OperationalError" in caplog.text
    assert store.get(hashed_key("b")) is None
    assert store.get(hashed_key("a")) == "x" * 150_000
    store.delete_many([hashed_key("a")])
    store.set_many({hashed_key("b"): "y" * 150_000}, 60)
    assert store.get(hashed_key("b")) == "y" * 150_000
    assert (tmp_path / "lists.sqlite").stat().st_size <= 200_000


def test_what_the_last_run_left_behind_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TtlStore(SharedStorage(tmp_path), "lists")
    swept = threading.Event()
    monkeypatch.setattr(store, "delete_expired", swept.set)
    assert store.get(hashed_key("a")) is None
    assert swept.wait(30)


def test_redis_ends_what_is_kept(redis_url: str, tmp_path: Path) -> None:
    shared = SharedStorage(tmp_path, redis_url)
    assert shared.redis is not None
    shared.redis.flushall()
    TtlStore(shared, "lists").set_many({hashed_key("a"): "x"}, 60)
    (name,) = shared.redis.keys()
    assert 0 < shared.redis.ttl(name) <= 60


def test_nothing_outlives_its_time_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TtlStore(SharedStorage(tmp_path), "lists")
    text = "a list that somebody may not want found"
    store.set_many({hashed_key("Someone"): text}, 60)
    file = tmp_path / "lists.sqlite"
    assert text.encode() in file.read_bytes()
    assert b"omeone" not in file.read_bytes()
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert store.get(hashed_key("Someone")) is None
    assert store.delete_expired() is None
    assert text.encode() not in file.read_bytes()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM lists").fetchone() == (0,)
    connection.close()


def test_the_next_sweep_is_in_time(tmp_path: Path) -> None:
    store = TtlStore(SharedStorage(tmp_path), "lists")
    store.set_many({hashed_key("a"): "x"}, 1_000)
    store.set_many({hashed_key("b"): "y"}, 60)
    now = time.time()
    first = store.delete_expired()
    assert first is not None
    assert first - now == pytest.approx(60, abs=30)
    second = store.delete_expired(now + 120)
    assert second is not None
    assert second - now == pytest.approx(1_000, abs=30)
    store._run_cleanup()
    assert store._cleanup_timer is not None
    assert store._cleanup_timer.interval == pytest.approx(1_000, abs=30)
    assert store._cleanup_timer.daemon
    store._cleanup_timer.cancel()


def test_a_damaged_file_is_a_miss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "lists.sqlite").write_bytes(b"this is no database" * 100)
    store = TtlStore(SharedStorage(tmp_path), "lists")
    store.set_many({hashed_key("a"): "x"}, 60)
    assert store.get(hashed_key("a")) is None
    assert "the cache could not be read: DatabaseError" in caplog.text


def test_a_deleted_file_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = TtlStore(SharedStorage(tmp_path), "lists")
    store.set_many({hashed_key("a"): "x"}, 60)
    (tmp_path / "lists.sqlite").unlink()
    store.set_many({hashed_key("a"): "y"}, 60)
    assert "the cache could not be written: OperationalError" in caplog.text
    store.set_many({hashed_key("a"): "z"}, 60)
    assert TtlStore(SharedStorage(tmp_path), "lists").get(hashed_key("a")) == "z"


def test_who_cannot_write_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = TtlStore(SharedStorage(tmp_path), "lists")
    store.set_many({hashed_key("a"): "x"}, 60)
    with closing(sqlite3.connect(tmp_path / "lists.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store.set_many({hashed_key("a"): "y"}, 60)
    assert "the cache could not be written: OperationalError" in caplog.text
    assert store.get(hashed_key("a")) == "x"


def test_a_redis_that_is_gone_is_a_miss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = TtlStore(SharedStorage(tmp_path, f"unix://{tmp_path}/nothing.sock"), "lists")
    store.set_many({hashed_key("a"): "x"}, 60)
    store.delete_many([hashed_key("a")])
    assert store.get(hashed_key("a")) is None
    assert "the cache could not be read: ConnectionError" in caplog.text


def test_a_folder_that_cannot_be_had_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shared = SharedStorage(tmp_path / "file" / "cache")
    assert shared.folder.parent == tmp_path
    assert shared.folder.stat().st_mode & 0o777 == 0o700
    assert "cannot be written" in caplog.text
    assert SharedStorage(tmp_path / "file" / "cache").folder == shared.folder
    shared.folder.chmod(0o777)  # as somebody might who wants to read along
    assert SharedStorage(tmp_path / "file" / "cache").folder != shared.folder


def test_keys_say_nothing() -> None:
    assert hashed_key("anilist", "Someone") != hashed_key("anilistS", "omeone")
    assert "omeone" not in hashed_key("Someone")
