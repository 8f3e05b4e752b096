"""A real server whose model is exchanged while it answers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from flask import Flask

from app import create_app
from app.settings import AppSettings
from app.web.state import get_app_state, get_library
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.models import flip, version_of
from tests.storage_emulator import SECONDS, StorageEmulator
from tests.tiny_model import ANILIST_OFFSET, anime_ids
from tests.web.server import Server, running_hakken, wait_until

LIST = [{"anime_id": 1, "score": 9, "status": "completed"}]
POLL = "0.1"


def point(place: Path, version: str) -> None:
    """Move ``latest`` as publishing does."""
    (place / "latest.new").write_text(version)
    (place / "latest.new").rename(place / "latest")


def ask(server: Server) -> tuple[int, str]:
    """Status and model of one answer, over a connection of its own."""
    answer = requests.post(
        f"{server.url}/api/v1/recommendations", json={"list": LIST}, timeout=SECONDS
    )
    return answer.status_code, answer.json().get("model", "")


class Load:
    """Visitors that ask without a pause, and what they were answered."""

    def __init__(self, server: Server, visitors: int = 4) -> None:
        self.answers: list[tuple[int, str]] = []
        self.failures: list[str] = []
        self._server = server
        self._news = threading.Condition()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._visit) for _ in range(visitors)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def wait_until(self, done: Callable[[list[tuple[int, str]]], bool]) -> None:
        """Wait until the answers from now on are as they should be."""
        with self._news:
            begin = len(self.answers)
            assert self._news.wait_for(
                lambda: self.failures or done(self.answers[begin:]), SECONDS
            ), self.answers[-20:]

    def wait_for_model(self, version: str, answers: int = 12) -> None:
        """Wait until the last few answers all come from this model."""
        self.wait_until(
            lambda found: (
                len(found) >= answers and {model for _, model in found[-answers:]} == {version}
            )
        )

    def _visit(self) -> None:
        while not self._over.is_set():
            try:
                found = ask(self._server)
            except (requests.RequestException, ValueError) as error:
                with self._news:
                    self.failures.append(repr(error))
                    self._news.notify_all()
                return
            with self._news:
                self.answers.append(found)
                self._news.notify_all()


@pytest.fixture
def place(tiny_model: Path, tmp_path: Path) -> Path:
    """A directory with three versions, of which the first is live."""
    folder = tmp_path / "place"
    folder.mkdir()
    for version in ("v0", "v1", "v2"):
        version_of(tiny_model, folder / version, version)
    point(folder, "v0")
    return folder


@contextmanager
def serving(place: object, tmp_path: Path, poll: str = POLL) -> Iterator[Server]:
    environment = {
        "HAKKEN_MODEL": str(place),
        "HAKKEN_MODEL_POLL": poll,
        "HAKKEN_MODEL_CACHE": str(tmp_path / "models"),
        "HAKKEN_CACHE_DIR": str(tmp_path / "cache"),
    }
    with running_hakken(environment) as server:
        yield server


def mapped_by(server: Server) -> list[set[str]]:
    """The versions of which each worker has files in its memory."""
    return [
        {Path(file.path).parent.name for file in worker.memory_maps() if ".npy" in file.path}
        for worker in server.workers()
    ]


def test_fifty_swaps_under_load_and_no_failed_request(place: Path, tmp_path: Path) -> None:
    with serving(place, tmp_path) as server, Load(server) as load:
        load.wait_for_model("v0")
        memory = {}
        for swap in range(1, 51):
            version = f"v{swap % 3}"
            point(place, version)
            load.wait_for_model(version)
            if swap in (10, 50):
                # A worker may have answered nothing since, and hold what it answers with.
                wait_until(lambda: mapped_by(server), [{version}, {version}].__eq__)
                memory[swap] = [worker.memory_info().rss for worker in server.workers()]
    assert not load.failures
    assert {status for status, _ in load.answers} == {200}
    assert {model for _, model in load.answers} == {"v0", "v1", "v2"}
    for before, after in zip(memory[10], memory[50], strict=True):
        assert after - before < 8e6


def test_sighup_takes_the_new_model_into_the_master_and_all_workers(
    place: Path, tmp_path: Path
) -> None:
    with serving(place, tmp_path, poll="0") as server, Load(server, visitors=2) as load:
        load.wait_for_model("v0")
        old = server.workers()
        point(place, "v1")
        server.signal(signal.SIGHUP)
        _, left = psutil.wait_procs(old, SECONDS)
        assert not left
        load.wait_for_model("v1")
        assert len(server.workers()) == 2
        maps = Path(f"/proc/{server.master}/maps").read_text()
        assert "/v1/" in maps
        assert "/v0/" not in maps
    assert not load.failures
    assert {status for status, _ in load.answers} == {200}


def test_sighup_to_one_worker_makes_that_one_look(place: Path, tmp_path: Path) -> None:
    with serving(place, tmp_path, poll="0") as server:
        assert {ask(server)[1] for _ in range(8)} == {"v0"}
        point(place, "v2")
        for worker in server.workers():
            worker.send_signal(signal.SIGHUP)
        with Load(server) as load:
            load.wait_for_model("v2")
        assert not load.failures


def test_a_worker_that_was_killed_comes_back_with_the_model_of_the_others(
    place: Path, tmp_path: Path
) -> None:
    with serving(place, tmp_path, poll="0") as server:
        point(place, "v1")
        for worker in server.workers():
            worker.kill()
        with Load(server, visitors=1) as load:
            load.wait_until(lambda found: len(found) >= 20)
        assert set(load.answers) == {(200, "v1")}


def test_a_bad_model_is_reported_and_the_old_one_goes_on(place: Path, tmp_path: Path) -> None:
    with serving(place, tmp_path) as server, Load(server) as load:
        load.wait_for_model("v0")
        flip(place / "v1" / "item_relevance.npy", 200)
        point(place, "v1")
        ready = wait_for_ready(server, lambda body: body["stale"])
        assert ready["model"] == "v0"
        assert "item_relevance.npy: sha256 is" in ready["fault"]
        point(place, "v2")
        load.wait_for_model("v2")
        ready = wait_for_ready(server, lambda body: body["model"] == "v2")
        assert (ready["stale"], ready["fault"]) == (False, None)
    assert {status for status, _ in load.answers} == {200}
    assert {model for _, model in load.answers} == {"v0", "v2"}
    refusals = [line for line in server.log if "the model cannot be renewed" in line]
    assert len(refusals) <= 2, "each of the two workers tells once"


def wait_for_ready(server: Server, wanted: Callable[[dict[str, str]], object]) -> dict[str, str]:
    """Ask ``/readyz`` until a worker answers as wanted."""

    def ask_ready() -> dict[str, str]:
        answer = requests.get(f"{server.url}/readyz", timeout=SECONDS)
        assert answer.status_code == 200
        return dict(answer.json())

    return wait_until(ask_ready, wanted)


def test_a_bucket_that_is_away_at_the_start(
    emulator: StorageEmulator, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.model_store.RETRY_TIMEOUT", 0.0)
    settings = AppSettings(
        model="gs://bucket/m", model_cache=tmp_path / "models", cache_dir=tmp_path / "cache"
    )
    for version in ("v0", "v1"):
        emulator.put_directory("bucket", f"m/{version}", place / version)
    emulator.put("bucket", "m/latest", b"v0")

    def ready(app: Flask) -> tuple[int, dict[str, object]]:
        answer = app.test_client().get("/readyz")
        return answer.status_code, dict(answer.json or {})

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    status, body = ready(create_app(settings))
    assert (status, body["ready"]) == (503, False)
    assert "does not answer" in str(body["fault"])

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    status, body = ready(create_app(settings))
    assert (status, body["model"], body["stale"], body["fault"]) == (200, "v0", False, None)

    emulator.put("bucket", "m/latest", b"v1")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    app = create_app(settings)
    status, body = ready(app)
    assert (status, body["model"], body["stale"]) == (200, "v0", True)
    assert "does not answer" in str(body["fault"])
    assert body["loaded"]
    assert body["checked"]
    assert isinstance(body["age"], int)

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    app.extensions["hakken"].model_manager.refresh()
    status, body = ready(app)
    assert (status, body["model"], body["stale"], body["fault"]) == (200, "v1", False, None)


def test_a_request_keeps_its_library_to_the_end(place: Path, tmp_path: Path) -> None:
    settings = AppSettings(model=str(place), model_poll=0, cache_dir=tmp_path / "cache")
    app = create_app(settings)
    with app.test_request_context():
        begun = get_library()
        point(place, "v1")
        get_app_state().model_manager.refresh()
        assert get_library() is begun
        assert begun.model.version == "v0"
        sources = begun.sources
    with app.test_request_context():
        assert get_library().model.version == "v1"
        assert get_library().sources is sources, "sources, caches and breakers are the process's"


def test_sources_know_the_ids_of_a_catalogue_that_came_later(
    upstream: FakeUpstream, place: Path, tmp_path: Path
) -> None:
    foreign = anime_ids()[0] + ANILIST_OFFSET
    upstream.add_user(
        "Fan", [DemoEntry(None, 8, media_id=foreign), DemoEntry(None, 8, media_id=foreign + 999)]
    )
    (place / "latest").unlink()
    settings = AppSettings(
        model=str(place),
        model_poll=0,
        cache_dir=tmp_path / "cache",
        anilist_url=upstream.base_url("anilist"),
        limits=False,
    )
    app = create_app(settings)
    query = {"source": "anilist", "username": "Fan"}
    assert app.test_client().get("/api/v1/recommendations", query_string=query).status_code == 503
    point(place, "v0")
    app.extensions["hakken"].model_manager.refresh()
    answer = app.test_client().get("/api/v1/recommendations", query_string=query)
    assert answer.status_code == 200
    assert (answer.json or {})["list"]["unmapped"] == 1
