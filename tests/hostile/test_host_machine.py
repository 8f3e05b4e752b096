"""A machine without room for what is counted, and what servers that were killed leave behind."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.web.server import at, running_hakken

COUNTED = {"HAKKEN_METRICS": "1", "WEB_CONCURRENCY": "1"}


def test_without_room_to_count_everybody_is_served(tiny_model: Path, tmp_path: Path) -> None:
    # Files may not have the size that counting needs, as on a file system that is full.
    environment = at(tiny_model, tmp_path) | COUNTED
    with running_hakken(environment, "prlimit", "--fsize=32768") as server:
        server.wait_for("counts by itself")
        server.wait_for("Booting worker")
        (worker,) = server.workers()
        for path in ("/", "/example", "/about", "/healthz", "/readyz", "/metrics"):
            assert requests.get(server.url + path, timeout=120).status_code == 200
        assert [each.pid for each in server.workers()] == [worker.pid]


def test_folders_of_masters_that_died_are_cleared(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    environment = at(tiny_model, tmp_path / "cache") | COUNTED

    def folder_of(pid: int) -> Path:
        opened = []
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                opened.append(link.readlink())
        locks = [file.parent for file in opened if file.name == ".lock"]
        (folder,) = (each for each in locks if each.name.startswith("hakken-metrics-"))
        return folder

    with running_hakken(environment) as first, running_hakken(environment) as second:
        first.wait_for("Booting worker")
        left, kept = folder_of(first.master), folder_of(second.master)
        workers = first.workers()
        assert workers
        first.signal(signal.SIGKILL)
        for worker in workers:
            worker.kill()
            worker.wait(30)
        assert left.is_dir()
        with running_hakken(environment):
            assert not left.exists()
            assert kept.is_dir()
            assert requests.get(second.url + "/metrics", timeout=120).status_code == 200
    assert not kept.exists()
