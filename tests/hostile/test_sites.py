"""List sites that mean harm, or are broken in ways that nobody would think of."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
import requests

from tests.hostile.conftest import LITTLE_MEMORY
from tests.web.server import Server, at, running_hakken

DEADLINE = 2.0
"""Seconds that Hakken has for a list of a site that would send for ever."""
SITES = ("anilist", "kitsu", "shikimori", "jikan", "myanimelist")
MILLIONS = 16 * 1024 * 1024


def row(site: str, anime_id: object, title: str = "A") -> object:
    """One row of a list, as the site writes it."""
    return {
        "anilist": {
            "status": "COMPLETED",
            "score": 8,
            "media": {"id": anime_id, "idMal": anime_id, "title": {"romaji": title}},
        },
        "kitsu": {
            "id": "1",
            "attributes": {"status": "completed", "ratingTwenty": 16},
            "relationships": {"anime": {"data": {"id": str(anime_id)}}},
        },
        "shikimori": {"score": 8, "status": "completed", "anime": {"id": anime_id, "name": title}},
        "jikan": {"mal_id": anime_id, "score": 8, "watching_status": 2, "title": title},
        "myanimelist": {
            "node": {"id": anime_id, "title": title},
            "list_status": {"status": "completed", "score": 8},
        },
    }[site]


def mappings(rows: list[object]) -> list[object]:
    """What Kitsu sends along with rows: which of MyAnimeList's anime they are."""
    found: list[object] = []
    for each in rows:
        number = each["relationships"]["anime"]["data"]["id"]  # type: ignore[index]
        link = {"mappings": {"data": [{"type": "mappings", "id": f"m{number}"}]}}
        told = {"externalSite": "myanimelist/anime", "externalId": number}
        found.append({"type": "anime", "id": number, "relationships": link})
        found.append({"type": "mappings", "id": f"m{number}", "attributes": told})
    return found


def page(site: str, rows: list[object], next_url: str | None = None, name: str = "fan") -> bytes:
    """A page of a list, as the site writes it."""
    included = mappings(rows) if site == "kitsu" else []
    answer = {
        "anilist": {
            "data": {"MediaListCollection": {"user": {"name": name}, "lists": [{"entries": rows}]}}
        },
        "kitsu": {"data": rows, "included": included, "links": {"next": next_url}},
        "shikimori": rows,
        "jikan": {"data": rows},
        "myanimelist": {"data": rows, "paging": {"next": next_url}},
    }[site]
    return json.dumps(answer).encode()


def http(body: bytes, more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


Answer = bytes | Callable[[socket.socket], None]


class HostileSite:
    """Answers a request by the name that is in it, over a bare socket."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.numbers = count(1)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while asked := self._read_request(connection):
                if "/users?filter" in asked:
                    name = re.findall(r"filter%5Bname%5D=(\w+)", asked)[0]
                    user = {"data": [{"id": name, "attributes": {"name": name}}]}
                    connection.sendall(http(json.dumps(user).encode()))
                    continue
                name = max((each for each in self.answers if each in asked), key=len)
                answer = self.answers[name]
                if callable(answer):
                    answer(connection)
                    return
                connection.sendall(answer)

    def _read_request(self, connection: socket.socket) -> str:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65536)):
                return ""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        return (head + body).decode("latin-1")


@pytest.fixture(scope="module")
def site() -> Iterator[HostileSite]:
    running = HostileSite()
    yield running
    running.close()


@contextmanager
def serving(site: HostileSite, model: Path, folder: Path, **more: str) -> Iterator[Server]:
    """Hakken with one worker and little memory, which asks the site and outlives its answers."""
    environment = {
        "WEB_CONCURRENCY": "1",
        "HAKKEN_LIMITS": "0",
        "MAL_CLIENT_ID": "0123456789abcdef",
        "HAKKEN_MAL_URL": f"{site.url}/v2",
        "HAKKEN_JIKAN_URL": f"{site.url}/v4",
        **{f"HAKKEN_{name}_URL": site.url for name in ("ANILIST", "KITSU", "SHIKIMORI")},
    }
    limit = f"--data={LITTLE_MEMORY}"
    with running_hakken(at(model, folder) | environment | more, "prlimit", limit) as running:
        running.wait_for("Booting worker")
        (worker,) = running.workers()
        yield running
        assert [each.pid for each in running.workers()] == [worker.pid]


@pytest.fixture(scope="module")
def server(
    site: HostileSite, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(site, tiny_model, tmp_path_factory.mktemp("cache")) as running:
        yield running


class Ask:
    """Asks Hakken for the list of somebody nobody has asked for yet."""

    def __init__(self, server: Server, hostile: HostileSite) -> None:
        self._server = server
        self._hostile = hostile

    def __call__(self, source: str, answer: Answer, **options: str) -> requests.Response:
        name = f"fan{next(self._hostile.numbers)}x"
        self._hostile.answers[name] = answer
        query = {"source": source, "username": name, **options}
        return requests.get(f"{self._server.url}/api/v1/recommendations", query, timeout=120)


@pytest.fixture(scope="module")
def ask(server: Server, site: HostileSite) -> Ask:
    return Ask(server, site)


@pytest.mark.parametrize("source", SITES)
def test_rows_with_ids_that_cannot_be_are_left_and_counted(source: str, ask: Ask) -> None:
    rows = [row(source, wrong) for wrong in (2**31, 2**63, 10**400, 0)]
    answer = ask(source, http(page(source, [*rows, row(source, 1)])))
    assert answer.status_code == 200, answer.text
    ours = answer.json()["list"]
    assert (ours["known"] + ours["unknown"], ours["unmapped"]) == (1, 4)
    alone = ask(source, http(page(source, rows)))
    assert alone.status_code == (200 if source == "kitsu" else 502), alone.text
    if source != "kitsu":
        assert alone.json()["type"].endswith("source-down")


NONSENSE = {
    "wrong rows": b"{},",
    "numbers for rows": b"1,",
    "lists for rows": b"[[]],",
    "nothing for rows": b"null,",
}


@pytest.mark.parametrize("kind", NONSENSE)
@pytest.mark.parametrize("source", SITES)
def test_megabytes_of_nonsense_take_little_memory(source: str, kind: str, ask: Ask) -> None:
    piece = NONSENSE[kind]
    for size in (500_000, MILLIONS - 1_000):
        filled = (piece * (size // len(piece)))[:-1]
        body = page(source, []).replace(b"[]", b"[" + filled + b"]", 1)
        answer = ask(source, http(body))
        assert answer.status_code in {200, 502}, answer.text


BROKEN_NEXT = (
    "http://[",
    "//a:99999999/",
    "http://a:b",
    "https://elsewhere.example/?page=2",
    "9" * 5_000,
)


@pytest.mark.parametrize("source", ["kitsu", "myanimelist"])
def test_a_broken_next_page_is_the_fault_of_the_site(source: str, ask: Ask) -> None:
    for address in BROKEN_NEXT:
        answer = ask(source, http(page(source, [row(source, 1)], next_url=address)))
        assert answer.status_code == 502, (address, answer.text)


@pytest.mark.parametrize("source", SITES)
def test_numbers_beyond_all_bounds_are_the_fault_of_the_site(source: str, ask: Ask) -> None:
    body = page(source, [row(source, "NUMBER")])
    for number in (b"9" * 5_000, b"1e999", b"NaN", b"-", '"٣"'.encode(), '"²"'.encode()):
        answer = ask(source, http(body.replace(b'"NUMBER"', number)))
        assert answer.status_code in {200, 502}, (number, answer.text)
        if answer.status_code == 200:
            assert answer.json()["list"]["known"] == 0


def test_names_and_titles_of_megabytes_are_cut(ask: Ask, server: Server) -> None:
    long = "n" * 4_000_000
    rows = [row("anilist", 10**6 + n, title=long[:1_000_000]) for n in range(3)]
    sent = http(page("anilist", [*rows, row("anilist", 1)], name=long))
    answer = ask("anilist", sent)
    assert answer.status_code == 200
    assert len(answer.json()["username"]) == 100
    result = ask("anilist", sent, page="yes")
    assert len(result.content) < 1_000_000


def drip(before: bytes, piece: bytes, pause: float = 0.05) -> Callable[[socket.socket], None]:
    """Send the beginning, and then the same again and again."""

    def send(connection: socket.socket) -> None:
        connection.sendall(before)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return send


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "status line": drip(b"HTTP/1.1 200 ", b"O"),
    "headers": drip(OK, b"X"),
    "many headers": drip(OK, b"X-A: b\r\n"),
    "continue": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "continue without pause": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0),
    "chunk size": drip(CHUNKED, b"0"),
    "chunk extension": drip(CHUNKED + b"1;", b"a"),
    "trailers": drip(CHUNKED + b"2\r\n[]\r\n0\r\n", b"X-A: b\r\n"),
    "body": drip(OK + b"Content-Length: 9000\r\n\r\n", b" "),
    "nothing": lambda connection: time.sleep(20),
}


def test_no_site_outlasts_the_deadline(site: HostileSite, tiny_model: Path, tmp_path: Path) -> None:
    def seconds_of(kind: str) -> float:
        # A site that only fails would soon not be asked any more.
        assert ask("shikimori", http(page("shikimori", []))).status_code == 200
        began = time.monotonic()
        answer = ask("shikimori", ENDLESS[kind])
        assert answer.status_code == 504, answer.text
        return time.monotonic() - began

    with (
        serving(site, tiny_model, tmp_path, HAKKEN_LIST_DEADLINE=str(DEADLINE)) as server,
        ThreadPoolExecutor(3) as pool,
    ):
        ask = Ask(server, site)
        seconds = dict(zip(ENDLESS, pool.map(seconds_of, ENDLESS), strict=True))
    # Every one would go on for ever; a slow machine may take its time.
    assert all(DEADLINE <= taken < DEADLINE + 10 for taken in seconds.values()), seconds
