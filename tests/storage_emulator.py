"""A Cloud Storage emulator on a loopback port that counts, holds, cuts and refuses requests."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers.objects import _checksums, _make_object_resource
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

SECONDS = 120

Watch = Callable[[str, str, str], bool]
"""Called with "before" or "after", the method and the object's name; False before a request: it
got lost on its way and is neither obeyed nor answered."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for every answer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed does not read its answer: nothing to report."""


class _Storage(Storage):
    """Buckets in memory, of which no list is written down at each change."""

    def _write_config_to_file(self) -> None:
        """Nobody reads it."""


class _Handler(RequestHandler):
    def __init__(self, emulator: StorageEmulator, *args: object) -> None:
        self.emulator = emulator
        super().__init__(emulator.storage, *args)

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        path = unquote(urlsplit(self.path).path)
        name = path.partition("/o/")[2] or path
        if not self.emulator.watch("before", "GET", name):
            return
        status = self.emulator.before_get(name, self.headers.get("Range"))
        cut = self.emulator.cuts.pop(name, None)
        if cut is not None:
            self.wfile = _Cut(self.wfile, cut)
        if status is None:
            super().do_GET()
        else:
            self.send_error(status)
        self.emulator.watch("after", "GET", name)

    def do_POST(self) -> None:  # noqa: N802
        self._write("POST", super().do_POST)

    def do_PUT(self) -> None:  # noqa: N802
        self._write("PUT", super().do_PUT)

    def do_DELETE(self) -> None:  # noqa: N802
        self._write("DELETE", super().do_DELETE)

    def _write(self, method: str, obey: Callable[[], None]) -> None:
        """Obey unless another generation is there than the one that was asked for."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            return  # cut off, so the object never comes to be
        self.rfile = BytesIO(body)
        bucket, name, query = self._target(body)
        if not self.emulator.watch("before", method, name):
            return
        wanted = query.get("ifGenerationMatch")
        # The answer is sent last, so that whoever is killed between the two is not told.
        answer, self.wfile = self.wfile, BytesIO()
        with self.emulator.writing:
            if wanted and int(wanted[0]) != self.emulator.generation(bucket, name):
                self.send_error(412)
            else:
                obey()
        self.emulator.watch("after", method, name)
        answer.write(self.wfile.getvalue())

    def _target(self, body: bytes) -> tuple[str, str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        bucket, _, name = unquote(parts.path).partition("/b/")[2].partition("/o")
        if "upload_id" in query:
            name = self.emulator.storage.get_resumable_file_obj(query["upload_id"][0])["name"]
        elif "name" in query:
            name = query["name"][0]
        elif not name and (found := re.search(rb'\{[^{}]*"name": "[^{}]*\}', body)):
            name = json.loads(found[0])["name"]
        return bucket, name.removeprefix("/"), query


class _Cut:
    """Lets so many bytes of an answer's body through and then hangs up."""

    def __init__(self, stream: Any, left: int) -> None:
        self._stream = stream
        self._left = left
        self._head = b""

    def write(self, data: bytes) -> int:
        if not self._head.endswith(b"\r\n\r\n"):
            self._head += data
            return int(self._stream.write(data))
        self._stream.write(data[: self._left])
        self._left = max(0, self._left - len(data))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class StorageEmulator:
    """Buckets in memory behind Cloud Storage's own HTTP interface."""

    def __init__(self) -> None:
        self.storage = _Storage(use_memory_fs=True)
        self.gets: Counter[str] = Counter()
        self.ranges: dict[str, list[str | None]] = defaultdict(list)
        self.cuts: dict[str, int] = {}
        """Of the next answer with an object, this many bytes arrive."""
        self.watch: Watch = lambda _when, _method, _name: True
        self.writing = threading.Lock()
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
        url = f"{self.url}/storage/v1/b"
        self._session.post(url, json={"name": bucket}, timeout=SECONDS).raise_for_status()

    def put(self, bucket: str, name: str, content: bytes) -> None:
        kind = "application/octet-stream"
        made = _make_object_resource(self.url, bucket, name, kind, str(len(content)))
        self.storage.create_file(bucket, name, content, _checksums(content, made))

    def put_directory(self, bucket: str, prefix: str, directory: Path) -> None:
        for file in directory.iterdir():
            self.put(bucket, f"{prefix}/{file.name}".lstrip("/"), file.read_bytes())

    def delete(self, bucket: str, name: str) -> None:
        self.storage.delete_file(bucket, name)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All objects of a bucket, by name."""
        names = list(self.storage.objects.get(bucket, {}))
        return {name: self.storage.get_file(bucket, name) for name in names}

    def generation(self, bucket: str, name: str) -> int:
        """The generation of an object, 0 if it is not there."""
        try:
            return int(self.storage.get_file_obj(bucket, name)["generation"])
        except NotFound:
            return 0

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

    def before_get(self, name: str, part: str | None) -> int | None:
        """Note a download; the status to refuse it with, if any."""
        gate = self._gates.get(name)
        with self._changed:
            self.gets[name] += 1
            self.ranges[name].append(part)
            self._changed.notify_all()
        if gate:
            gate.wait(SECONDS)
        refusals = self._refusals.get(name)
        return refusals.pop(0) if refusals else None
