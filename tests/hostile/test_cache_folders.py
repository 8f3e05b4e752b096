"""Cache folders that somebody else can read, or has put something into."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from app.upstream import TtlStore
from app.upstream.shared_storage import SharedStorage, hashed_key

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
