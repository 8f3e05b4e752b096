"""Cache folders that somebody else can read, or has put something into."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest
import requests

from app.upstream import TtlStore
from app.upstream.shared_storage import SharedStorage, hashed_key
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.web.server import at, running_hakken

KEY = hashed_key("a", "fan")
LIST = "what a fan watches"


def store(folder: Path) -> TtlStore:
    return TtlStore(SharedStorage(folder), "lists")


def test_a_list_is_readable_by_nobody_else_whatever_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o755)
    before = os.umask(0)
    try:
        lists = store(folder)
        lists.set_many({KEY: LIST}, 60)
    finally:
        os.umask(before)
    assert lists.get(KEY) == LIST
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_others_can_read_is_taken_from_them(tmp_path: Path) -> None:
    store(tmp_path).set_many({KEY: LIST}, 60)
    (tmp_path / "lists.sqlite").chmod(0o644)
    again = store(tmp_path)
    assert again.get(KEY) == LIST
    assert stat.S_IMODE((tmp_path / "lists.sqlite").stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_nothing_is_written_where_somebody_leads_us(kind: str, tmp_path: Path) -> None:
    planted, folder = tmp_path / "planted", tmp_path / "cache"
    folder.mkdir(mode=0o700)
    if kind == "pipe":
        os.mkfifo(folder / "lists.sqlite")
    else:
        (folder / "lists.sqlite").symlink_to(planted)
    if kind == "link":
        planted.write_bytes(b"")
    lists = store(folder)
    lists.set_many({KEY: LIST}, 60)
    assert lists.get(KEY) is None  # as if there were no room
    assert not planted.exists() or planted.read_bytes() == b""


def test_no_list_outlives_the_server(
    tiny_model: Path, upstream: FakeUpstream, tmp_path: Path
) -> None:
    upstream.add_user("Secretive", [DemoEntry(987_654, 7)])
    environment = at(tiny_model, tmp_path) | upstream.environment() | {"WEB_CONCURRENCY": "1"}
    query = {"source": "anilist", "username": "Secretive"}
    with running_hakken(environment) as server:
        asked = requests.get(f"{server.url}/api/v1/recommendations", query, timeout=120)
        assert asked.status_code == 200
        assert b"987654" in (tmp_path / "lists.sqlite").read_bytes()
    assert b"987654" not in (tmp_path / "lists.sqlite").read_bytes()


def test_what_a_killed_server_left_is_forgotten_though_nobody_asks(tmp_path: Path) -> None:
    store(tmp_path).set_many({KEY: LIST}, 1)
    again = store(tmp_path)
    again.sweep()
    end = time.monotonic() + 30
    while LIST.encode() in (tmp_path / "lists.sqlite").read_bytes():
        assert time.monotonic() < end
        threading.Event().wait(0.05)
