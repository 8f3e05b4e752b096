"""A real HTTP server on loopback that answers as AniList's GraphQL service does.

    with FakeAniList() as fake:
        fake.add("Someone", [entry(154587, 52991, score=9.5)])
        ...  # point HAKKEN_ANILIST_URL at fake.url

Names are matched in any case, as AniList does. Any name that was not added and has no scenario
below is an unknown user. ``fake.requests`` holds everything that was asked.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRIVATE = "PrivateFan"
RATE_LIMITED = "LimitedFan"  # 429 with Retry-After: 41
DOWN = "DownFan"  # 500 every time
DISABLED = "DisabledFan"  # 403 "temporarily disabled"
CHALLENGE = "ChallengeFan"  # an HTML page of a Cloudflare challenge
SLOW = "SlowFan"  # no answer until the server closes
HANGING = "HangingFan"  # headers and a first piece, then nothing until the server closes
DRIPPING = "DrippingFan"  # a body that comes byte by byte and never ends
HUGE = "HugeFan"  # 20,001 titles
EMPTY = "EmptyFan"
CHUNKED = "ChunkedFan"  # 1,200 titles in chunks of 500
ENDLESS = "EndlessFan"  # the same answer for every chunk, always promising another
CUSTOM = "CustomFan"  # custom lists with repeats and entries hidden from the status lists
FLAKY = "FlakyFan"  # the first connection is dropped, then one title
RECOVERING = "RecoveringFan"  # 503 with Retry-After: 0 once, then one title
ERROR_200 = "PoliteErrorFan"  # GraphQL errors with HTTP 200
NOT_JSON = "GarbledFan"
NO_LISTS = "FieldlessFan"  # the answer lacks MediaListCollection.lists
HTTP_MOVED = "MovedFan"  # 307 to another host
LOOPING = "LoopingFan"  # 307 to itself


def entry(
    media_id: int,
    mal_id: int | None,
    *,
    score: float = 0,
    status: str = "COMPLETED",
    title: str | None = None,
) -> dict[str, Any]:
    """One list entry as AniList writes it, with ``score`` of ten."""
    name = title or f"Title {media_id}"
    return {
        "status": status,
        "score": score,
        "media": {
            "id": media_id,
            "idMal": mal_id,
            "title": {"userPreferred": name, "romaji": name, "english": None},
        },
    }


def group(name: str, entries: list[dict[str, Any]], *, custom: bool = False) -> dict[str, Any]:
    return {"name": name, "isCustomList": custom, "entries": entries}


@dataclass(frozen=True)
class Answer:
    """What goes over the wire. ``body`` None drops the connection instead."""

    status: int
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict)
    stall: str = ""  # "headers" or "body": stop before that ends; "drip": never end the body


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


def _json(status: int, body: object, **headers: str) -> Answer:
    headers["Content-Type"] = "application/json"
    return Answer(status, json.dumps(body).encode(), headers)


def _error(status: int, message: str, **headers: str) -> Answer:
    errors = [{"message": message, "status": status, "locations": [{"line": 2, "column": 3}]}]
    return _json(status, {"errors": errors, "data": {"MediaListCollection": None}}, **headers)


def _collection(name: str, groups: list[dict[str, Any]], *, more: bool = False) -> Answer:
    user = {"id": 1, "name": name, "mediaListOptions": {"scoreFormat": "POINT_100"}}
    collection = {"hasNextChunk": more, "user": user, "lists": groups}
    return _json(200, {"data": {"MediaListCollection": collection}})


class FakeAniList:
    """Start with ``with``; ``url`` is the address to POST to."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.closing = threading.Event()
        self._lists: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._seen: set[str] = set()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.add(HUGE, (entry(n, n) for n in range(1, 20_002)))
        self.add(EMPTY, [])
        self.add(CHUNKED, (entry(n, n, score=5) for n in range(1, 1_201)))
        self.add(FLAKY, [entry(1, 1)])
        self.add(RECOVERING, [entry(1, 1)])
        self._scenarios: dict[str, Callable[[str, dict[str, Any]], Answer | None]] = {
            PRIVATE: lambda *_: _error(404, "Private User"),
            RATE_LIMITED: lambda *_: _error(429, "Too Many Requests.", **{"Retry-After": "41"}),
            DOWN: lambda *_: _error(500, "Internal Server Error"),
            DISABLED: lambda *_: _disabled(),
            CHALLENGE: lambda *_: Answer(
                403,
                b"<!DOCTYPE html><title>Just a moment...</title>",
                {"Content-Type": "text/html"},
            ),
            SLOW: lambda *_: Answer(200, b"{}", stall="headers"),
            HANGING: lambda *_: Answer(200, b"{", stall="body"),
            DRIPPING: lambda *_: Answer(200, b"{", stall="drip"),
            ENDLESS: lambda name, _: _collection(name, [group("All", [entry(1, 1)])], more=True),
            CUSTOM: lambda name, _: _collection(name, _custom_groups()),
            FLAKY: lambda name, _: self._once(name, Answer(200, None)),
            RECOVERING: lambda name, _: self._once(name, _error(503, "", **{"Retry-After": "0"})),
            ERROR_200: lambda *_: _json(200, {"errors": [{"message": "Boom"}], "data": None}),
            NOT_JSON: lambda *_: Answer(200, b'{"data": {"MediaList'),
            NO_LISTS: lambda *_: _json(200, {"data": {"MediaListCollection": {"user": None}}}),
            HTTP_MOVED: lambda *_: Answer(
                307, b"", {"Location": f"http://localhost:{self.port}/elsewhere"}
            ),
            LOOPING: lambda *_: Answer(307, b"", {"Location": "/again"}),
        }

    def add(self, name: str, entries: Iterable[dict[str, Any]]) -> None:
        """Give ``name`` one status list with these entries."""
        self._lists[name.casefold()] = (name, list(entries))

    def __enter__(self) -> FakeAniList:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _once(self, name: str, answer: Answer) -> Answer | None:
        first = name not in self._seen
        self._seen.add(name)
        return answer if first else None

    def answer(self, asked: Asked) -> Answer:
        if asked.method != "POST":
            return _error(404, "Use POST request to access graphql subdomain.")
        if "referer" not in asked.headers:
            return _disabled()
        if asked.headers.get("content-type") != "application/json" or asked.body is None:
            return _error(400, "Syntax Error")
        variables = asked.body["variables"]
        name = str(variables["name"])
        for scenario, make in self._scenarios.items():
            if scenario.casefold() == name.casefold():
                special = make(scenario, variables)
                if special is not None:
                    return special
        if name.casefold() not in self._lists:
            return _error(404, "User not found")
        return self._list(*self._lists[name.casefold()], asked.body["query"], variables)

    def _list(
        self, name: str, entries: list[dict[str, Any]], query: str, variables: dict[str, Any]
    ) -> Answer:
        if "format: POINT_10_DECIMAL" not in query:  # then the user's own scale comes back
            entries = [{**item, "score": item["score"] * 10} for item in entries]
        chunk, size = variables.get("chunk"), min(variables.get("perChunk") or 500, 500)
        if name == CHUNKED and chunk is None:
            chunk = 1
        more = chunk is not None and chunk * size < len(entries)
        if chunk is not None:
            entries = entries[(chunk - 1) * size : chunk * size]
        return _collection(name, [group("Completed", entries)] if entries else [], more=more)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for answers under way

    def __init__(self, fake: FakeAniList) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        fake = self.server.fake
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        headers = {key.lower(): value for key, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        fake.requests.append(asked)
        # Some scenarios want the client to go away.
        with contextlib.suppress(OSError):
            self._send(fake.answer(asked), fake.closing)

    def _send(self, answer: Answer, closing: threading.Event) -> None:
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
        """Tests need no access log."""


def _disabled() -> Answer:
    return _error(
        403, "The AniList API has been temporarily disabled due to severe stability issues."
    )


def _custom_groups() -> list[dict[str, Any]]:
    seen = entry(10, 100, score=9.5)
    hidden = entry(20, 200, score=3, status="DROPPED")
    return [
        group("Completed", [seen, entry(11, 101)]),
        group("Favourites", [seen, hidden], custom=True),
        group("Watching", [entry(30, 300, status="CURRENT")]),
    ]
