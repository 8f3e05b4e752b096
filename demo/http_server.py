"""What goes over the wire, and the server that sends it, faults included."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit


@dataclass(frozen=True)
class FakeResponse:
    """An answer. ``body`` None drops the connection instead; ``stall`` says where it stops.

    ``stall``: "headers" or "body" stop before that ends, "drip" never ends the body, "cut" closes
    the connection in the middle of it.
    """

    status: int
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict)
    stall: str = ""


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it arrived; ``path`` as sent, ``query`` decoded, ``body`` JSON or a form.

    ``raw`` are the body's bytes.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    raw: bytes = b""

    def url_with(self, **query: object) -> str:
        """The same address with other values in its query."""
        return f"http://{self.headers['host']}{self.path}?{urlencode({**self.query, **query})}"


def json_response(status: int, body: object, **headers: str) -> FakeResponse:
    """An answer in JSON."""
    return FakeResponse(
        status, json.dumps(body).encode(), {"Content-Type": "application/json"} | headers
    )


class FakeServer(ThreadingHTTPServer):
    """Answers every request with what ``respond`` makes of it; start it with ``with``."""

    daemon_threads = False  # so that closing waits for answers under way
    request_queue_size = 64

    def __init__(self, respond: Callable[[RecordedRequest], FakeResponse], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _RequestHandler)
        self.respond = respond
        self.requests: list[RecordedRequest] = []
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self.port = int(self.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _RequestHandler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        owner = self.server
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body: Any
        try:
            if "urlencoded" in self.headers.get("Content-Type", ""):
                body = dict(parse_qsl(raw.decode(), keep_blank_values=True))
            else:
                body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        headers = {key.lower(): value for key, value in self.headers.items()}
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        asked = RecordedRequest(self.command, parts.path, query, headers, body, raw)
        owner.requests.append(asked)
        # Some faults want the client to go away.
        with contextlib.suppress(OSError):
            self._send_response(owner.respond(asked), owner.closing)

    def _send_response(self, answer: FakeResponse, closing: threading.Event) -> None:
        body = answer.body
        if body is None:
            return
        if answer.stall == "headers":
            closing.wait()
        if not answer.stall and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        if body is not answer.body:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) if not answer.stall else 10**9))
        self.end_headers()
        self.wfile.write(body)
        while answer.stall == "drip" and not closing.is_set():
            self.wfile.write(b" ")
        if answer.stall == "body":
            closing.wait()

    def log_message(self, *_: object) -> None:
        """Nobody needs an access log of pretence."""
