"""A Cloud Storage emulator on a loopback port that counts, holds and refuses requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

SECONDS = 30


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for every answer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed does not read its answer: nothing to report."""


class _Handler(RequestHandler):
    def __init__(self, emulator: StorageEmulator, *args: object) -> None:
        self.emulator = emulator
        super().__init__(emulator.storage, *args)

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        path = unquote(urlsplit(self.path).path)
        status = self.emulator.before_get(path.partition("/o/")[2] or path)
        if status is None:
            super().do_GET()
        else:
            self.send_error(status)


class StorageEmulator:
    """Buckets in memory behind Cloud Storage's own HTTP interface."""

    def __init__(self) -> None:
        self.storage = Storage(use_memory_fs=True)
        self.gets: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._refusals: dict[str, list[int]] = {}
        self._gates: dict[str, threading.Event] = {}
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> StorageEmulator:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def create_bucket(self, bucket: str) -> None:
        self._send("POST", "/storage/v1/b", json={"name": bucket})

    def put(self, bucket: str, name: str, content: bytes) -> None:
        self._send(
            "POST",
            f"/upload/storage/v1/b/{bucket}/o",
            params={"uploadType": "media", "name": name},
            data=content,
            headers={"Content-Type": "application/octet-stream"},
        )

    def put_directory(self, bucket: str, prefix: str, directory: Path) -> None:
        for file in directory.iterdir():
            self.put(bucket, f"{prefix}/{file.name}".lstrip("/"), file.read_bytes())

    def delete(self, bucket: str, name: str) -> None:
        self._send("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}")

    def refuse(self, name: str, *statuses: int) -> None:
        """Answer the next downloads of an object with these statuses, then as usual."""
        self._refusals[name] = list(statuses)

    @contextmanager
    def holding(self, name: str) -> Iterator[threading.Event]:
        """Answer no download of an object until the block ends, or sets the event."""
        gate = self._gates[name] = threading.Event()
        try:
            yield gate
        finally:
            del self._gates[name]
            gate.set()

    def wait_for_gets(self, name: str, count: int) -> None:
        """Wait until an object was asked for so many times."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.gets[name] >= count, SECONDS), self.gets

    def _send(self, method: str, path: str, **request: Any) -> None:
        self._session.request(
            method, self.url + path, timeout=SECONDS, **request
        ).raise_for_status()

    def before_get(self, name: str) -> int | None:
        """Note a download; the status to refuse it with, if any."""
        gate = self._gates.get(name)
        with self._changed:
            self.gets[name] += 1
            self._changed.notify_all()
        if gate:
            gate.wait(SECONDS)
        refusals = self._refusals.get(name)
        return refusals.pop(0) if refusals else None
