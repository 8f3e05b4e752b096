"""Buckets that never stop sending, or hardly begin to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.model_store import gcs, open_model_source, remote
from app.recommender.artifact import MAX_MANIFEST_BYTES, ArtifactError
from tests.storage_emulator import StorageEmulator

Answer = Callable[[socket.socket], None]


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")


def dripping(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    while True:
        connection.sendall(b"a")
        time.sleep(0.05)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Answers everything in one hostile way."""
    answer: Answer = request.param
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=reply, args=(connection,), daemon=True).start()

    def reply(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{listening.getsockname()[1]}")
    monkeypatch.setattr(remote, "READ_DEADLINE", 0.5)
    yield
    listening.close()


@pytest.mark.parametrize("bucket", [endless, dripping], indirect=True)
@pytest.mark.usefixtures("bucket")
def test_a_manifest_without_end_is_left(tmp_path: Path) -> None:
    source = open_model_source("gs://bucket/models", tmp_path, retry_timeout=0.5)
    began = time.monotonic()
    with pytest.raises(ArtifactError) as told:
        source.latest()
    assert str(told.value).startswith("gs://bucket/models/manifest.json: ")
    assert time.monotonic() - began < 20  # it would go on for ever


def test_no_file_grows_beyond_what_the_manifest_says(
    emulator: StorageEmulator, tmp_path: Path
) -> None:
    emulator.put("bucket", "models/a.npy", b"a" * 100_000)
    with gcs.open_bucket(gcs.BucketUrl("bucket", "models"), 5) as folder:
        with pytest.raises(ArtifactError, match="larger than 10 bytes"):
            folder.resume_download("a.npy", tmp_path / "a", 10)
        assert (tmp_path / "a").stat().st_size <= 10
        folder.resume_download("a.npy", tmp_path / "b", 100_000)
        assert (tmp_path / "b").stat().st_size == 100_000


def test_a_pointer_of_megabytes_is_left(emulator: StorageEmulator, tmp_path: Path) -> None:
    emulator.put("bucket", "models/latest", b"a" * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(ArtifactError, match="larger than"):
        open_model_source("gs://bucket/models", tmp_path, retry_timeout=1).latest()
