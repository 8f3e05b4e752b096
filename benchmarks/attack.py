"""A server under requests that mean harm, drawn at random: what must never happen is looked for.

Each request is drawn from the seed and its number alone, so that a finding can be had again. A
finding is an answer of 5xx that is our fault, none at all, one without our headers or after more
than the deadline, a worker that died, a traceback or a line in the log that is none of ours.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import random
import re
import socket
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from benchmarks.arguments import positive_int
from benchmarks.run_server import ROOT, RunningServer, ServerNotReadyError, run_server
from demo.demo_users import make_demo_data
from demo.fake_upstream import FakeUpstream

VISITORS = 4
WORKERS = 2
ANSWER_SECONDS = 30.0
MEMORY = 1024 * 1024 * 1024
"""Bytes that each process of the server may have of its own."""
SITE_TROUBLE = {501, 502, 503, 504}
"""What may be answered where a list site is asked, which fails as real ones do."""
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.-]+( \[[\w.-]+\])?: |\t|$")
"""How every line of the log begins; what goes on with one before is indented."""

FANS = ("DemoFan", "Fan50", "nobody", "private", "a" * 101, "Ünïcode", "a/b", "..", "%00", "a\nb")
ADDRESSES = (
    *("/", "/example", "/about", "/api", "/pick", "/picks", "/upload", "/recommend", "/season"),
    *("/season/2020/winter", "/season/99999/x", "/anime/1", "/anime/1/for", "/anime/99999999999"),
    *("/picks/1-9.5-8", "/picks/1-99", "/together", "/together/example", "/healthz", "/readyz"),
    *("/metrics", "/worker.js", "/offline", "/manifest.webmanifest", "/robots.txt", "/sitemap.xml"),
    *("/static/hakken.css", "/static/../app.py", "/static/%2e%2e/settings.py", "//evil.example/"),
    *("/api/v1/anime", "/api/v1/anime/1", "/api/v1/anime/1/similar", "/api/v1/anime/1/for"),
    *("/api/v1/details", "/api/v1/recommendations", "/api/v1/together", "/api/v1/openapi.json"),
    *("/api/v1/fans", "/problems/bad-query", "/nowhere", "/anime/x", "/fans/anilist/DemoFan"),
    *("/stremio/anilist/DemoFan/manifest.json", "/favourites/kitsu/DemoFan"),
    *("/sonarr/anilist/DemoFan.json", "/oauth/anilist", "/oauth/anilist/callback"),
    *("/oauth/myanimelist/plan", "/oauth/anilist/sign-out", "/oauth/kitsu"),
)
OPTIONS = (
    *("n", "top", "order", "engine", "genre", "without", "tag", "type", "studio", "hide", "seen"),
    *("year_from", "year_to", "min_episodes", "format", "title", "lang", "source", "username"),
    *("ids", "search", "q", "picks", "add", "score", "rating", "offset", "apply", "ignore", "like"),
    *("code", "state", "error", "token", "anime_id", "page"),
)
TEXTS = (
    *(
        "",
        "1",
        "0",
        "-1",
        "1e309",
        "NaN",
        "٣",
        "²",
        "9" * 3_000,
        "a" * 3_000,
        "5:8",
        "5:8:9",
        ",,,",
    ),
    *("csv", "json", "xml", "atom", "ics", "card", "tall", "ja", "score", "discover", "anilist"),
    *("\x00", "\r\nX-Evil: 1", "2026-01-01 00:00:00,000 INFO evil: forged\n", "\ud800", "\u202e"),
    *("<script>alert(1)</script>", "{{7*7}}", "%s%n", "=cmd()", "../../etc/passwd", "javascript:a"),
    *("true", "null", "drama", "tv,movie", "1-9", "[]", "{}", "🦊" * 300, "'\"><x", "1;2", "a&b=c"),
)
HOSTS = (
    "a..b",
    ".",
    "a" * 64,
    "evil.example",
    "[::1",
    "a:99999",
    "a b",
    "ä",
    "localhost",
    "127.0.0.1",
)
HEADERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("X-Forwarded-For", ("1.2.3.4", "a", "9" * 900, "::1", "1.2.3.4, 5.6.7.8", "\x01")),
    ("X-Forwarded-Proto", ("https", "javascript", "", "https,http")),
    ("X-Forwarded-Host", ("evil.example", "a..b")),
    ("Script-Name", ("/evil", "//evil.example", "x")),
    ("X-Request-ID", ("abcdef", "a\tb", "x" * 300, "2026-01-01 00:00:00,000")),
    ("Origin", ("https://evil.example", "null", "x" * 900)),
    (
        "Cookie",
        (
            "lang=ja",
            "lang=" + "x" * 900,
            '="";;;',
            "lang=\\303",
            "fan=e30.x.y",
            "fan=" + "x" * 5000,
        ),
    ),
    ("Accept-Language", ("ja", "*", "ja;q=x", ",".join(["a"] * 900), "ja;q=1e999")),
    ("Accept-Encoding", ("gzip", "gzip;q=0", "br, *;q=x", "identity;q=0, *;q=0")),
    ("If-None-Match", ("*", '"x"', 'W/"', ",".join(['"a"'] * 900))),
    ("Range", ("bytes=0-0", "bytes=-1", "bytes=9-1", "x=1-", "bytes=" + "0-1," * 900)),
    ("If-Modified-Since", ("x", "Thu, 01 Jan 1970 00:00:00 GMT", "9" * 300)),
    ("Authorization", ("Bearer x", "Basic =", "Digest " + "a" * 900, "")),
    ("Content-Encoding", ("gzip", "x")),
    ("Content-Type", ("", "x", "application/json; charset=utf-7", "multipart/form-data")),
    ("Expect", ("100-continue",)),
    ("Transfer-Encoding", ("chunked", "gzip", "chunked, chunked")),
    ("Content-Length", ("0", "-1", "5", "99999999999", "x", "+3")),
)


@dataclass(frozen=True, slots=True)
class Attack:
    """One request, as it goes over the line."""

    kind: str
    request: bytes


@dataclass(slots=True)
class Tally:
    """What was answered so far, by kind of request."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    slowest: dict[str, tuple[float, int]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def add(self, number: int, kind: str, status: int, seconds: float, finding: str | None) -> None:
        """Count an answer."""
        self.statuses[kind][status] += 1
        self.slowest[kind] = max(self.slowest.get(kind, (0.0, 0)), (seconds, number))
        if finding:
            self.findings.append(f"request {number}, {kind}: {finding}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Attack, print what was answered, and end with 1 if something was found."""
    parser = argparse.ArgumentParser(prog="scripts/attack", description=__doc__)
    parser.add_argument("--seconds", type=positive_int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=positive_int, metavar="NUMBER", help="one request of a seed")
    parser.add_argument("--model", help="a folder; default: the bundled model")
    options = parser.parse_args(arguments)
    model = Path(options.model or ROOT / "bundled_model").absolute()  # the server runs in ROOT
    try:
        with ExitStack() as stack:
            served = stack.enter_context(_running_server(stack, model))
            if options.only:
                attack = draw(options.seed, options.only)
                print(attack.request[:2_000], send(served.url, attack.request)[:2_000], sep="\n\n")
                return
            tally = _attack(served, options.seed, options.seconds)
            memory = max(each.unique for each in served.worker_memory())
    except ServerNotReadyError as error:
        sys.exit(f"scripts/attack: the server did not become ready\n{error}")
    for kind, statuses in sorted(tally.statuses.items()):
        seconds, number = tally.slowest[kind]
        shown = ", ".join(f"{status} × {count:,}" for status, count in sorted(statuses.items()))
        print(f"{kind:<10} {shown}; the slowest took {1e3 * seconds:,.0f} ms (request {number})")
    print(f"a worker holds {memory:.0f} MB of its own")
    if tally.findings:
        sys.exit("\n".join(["", *tally.findings]))


def _running_server(stack: ExitStack, model: Path) -> Any:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    upstream = stack.enter_context(FakeUpstream(make_demo_data(model, {"Fan50": 50})))
    environment = {
        **upstream.environment(),
        **upstream.sign_in_environment("http://hakken.example"),
        "HAKKEN_MODEL": str(model),
        "HAKKEN_CACHE_DIR": folder,
        "HAKKEN_RATE_LISTS": "off",
        "HAKKEN_RATE_PAGES": "off",
        "HAKKEN_LIST_DEADLINE": "2",
        "HAKKEN_METRICS": "1",
    }
    return run_server(WORKERS, environment, ("prlimit", f"--data={MEMORY}"))


def _attack(served: RunningServer, seed: int, seconds: int) -> Tally:
    tally, lock, numbers = Tally(), threading.Lock(), iter(range(1, sys.maxsize))
    while len(workers := {each.pid for each in served.process.children()}) < WORKERS:
        time.sleep(0.02)
    end = time.monotonic() + seconds

    def visit() -> None:
        while time.monotonic() < end:
            with lock:
                number = next(numbers)
            attack = draw(seed, number)
            begun = time.monotonic()
            answer = send(served.url, attack.request)
            took = time.monotonic() - begun
            status, finding = judge(attack, answer, took)
            with lock:
                tally.add(number, attack.kind, status, took, finding)

    visitors = [threading.Thread(target=visit) for _ in range(VISITORS)]
    for each in visitors:
        each.start()
    for each in visitors:
        each.join()
    if {each.pid for each in served.process.children()} != workers:
        tally.findings.append("a worker died")
    tally.findings += log_findings(served.read_log())
    return tally


def log_findings(log: str) -> list[str]:
    """Return lines of a log that should not be there."""
    wrong = (x for x in log.split("\n") if not LOG_LINE.match(x) or "Traceback" in x)
    return [f"the log says {line[:300]!r}" for line in wrong]


def judge(attack: Attack, answer: bytes, seconds: float) -> tuple[int, str | None]:
    """Return the status of an answer, and what is wrong with it if something is."""
    shown = attack.request[:200]
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    found = re.match(rb"HTTP/1\.\d (\d{3}) ", answer)
    if found is None:
        return 0, f"no answer ({answer[:60]!r}) to {shown!r}"
    status = int(found[1])
    head = answer.partition(b"\r\n\r\n")[0]
    # What is no HTTP is refused by gunicorn, before anything of ours sees it.
    from_us = b"X-Request-ID" in head
    if status >= 500 and status not in SITE_TROUBLE:
        return status, f"a {status} for {shown!r}"
    if from_us and b"Content-Security-Policy" not in head:
        return status, f"no Content-Security-Policy for {shown!r}"
    if not from_us and status not in {400, 405, 413, 414, 417, 431, 501, 505}:
        return status, f"a {status} that is not ours for {shown!r}"
    if re.search(rb"(?im)^(x-evil|location: *(https?:)?//(?!127\.0\.0\.1))", head):
        return status, f"headers of the visitor's: {head[-300:]!r}"
    # In the value of a field that is filled in again it is text, and nothing follows it.
    if re.search(rb'(?i)<script>alert|\b(href|src|action|formaction)="\s*javascript:', answer):
        return status, f"a script for {shown!r}"
    if seconds > ANSWER_SECONDS / 2:
        return status, f"{seconds:.0f} s for {shown!r}"
    return status, None


def send(url: str, request: bytes) -> bytes:
    """Send a request as it is, and return all that is answered."""
    place = urlsplit(url)
    answer = b""
    try:
        with socket.create_connection((place.hostname, place.port), ANSWER_SECONDS) as line:
            try:
                line.sendall(request)
                line.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before it was all sent: the answer is there
            while piece := line.recv(65_536):
                answer += piece
    except OSError as error:
        return answer or str(error).encode()
    return answer


def draw(seed: int, number: int) -> Attack:
    """Return a request; the same for the same seed and number."""
    random_ = random.Random(f"{seed}/{number}")
    kind, make = random_.choice(KINDS)
    return Attack(kind, make(random_))


def _request(
    draw: random.Random, method: str, target: str, body: bytes = b"", content_type: str = ""
) -> bytes:
    """Write a request; seldom with headers that mean harm."""
    headers = {"Host": "127.0.0.1", "Connection": "close"}
    if body or method == "POST":
        headers |= {"Content-Length": str(len(body)), "Content-Type": content_type}
    if draw.random() < 0.05:
        headers["Host"] = draw.choice(HOSTS)
    for name, values in draw.sample(HEADERS, draw.choice((0, 0, 0, 1, 3))):
        if name not in headers or draw.random() < 0.1:
            headers[name] = draw.choice(values)
    lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + body


def _text(draw: random.Random) -> str:
    if draw.random() < 0.2:
        return "".join(chr(draw.randrange(1, 0x2FFF)) for _ in range(draw.randrange(1, 40)))
    return draw.choice(TEXTS)


def _query(draw: random.Random) -> str:
    pairs = [(draw.choice(OPTIONS), _text(draw)) for _ in range(draw.choice((0, 0, 1, 1, 3)))]
    return urlencode(pairs, errors="surrogatepass")


def _address(draw: random.Random) -> bytes:
    target = draw.choice(ADDRESSES)
    if draw.random() < 0.2:
        target += "/" + quote(_text(draw), errors="surrogatepass")
    method = draw.choice(("GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "EVIL"))
    return _request(draw, method, f"{target}?{_query(draw)}")


def _fan(draw: random.Random) -> bytes:
    name = quote(draw.choice((*FANS, _text(draw))), errors="surrogatepass")
    site = draw.choice(("anilist", "kitsu", "shikimori", "myanimelist", "nowhere"))
    target = draw.choice(
        (
            f"/user/{site}/{name}?{_query(draw)}",
            f"/api/v1/recommendations?source={site}&username={name}&{_query(draw)}",
            f"/recommend?source={site}&username={name}&{_query(draw)}",
            f"/api/v1/together?source={site}&username={name}&with_source=kitsu&with_username=DemoFan",
        )
    )
    return _request(draw, "GET", target)


def _value(draw: random.Random, depth: int = 0) -> Any:
    simple: list[Callable[[], Any]] = [
        lambda: _text(draw),
        lambda: draw.choice((None, True, 0, 1, -1, 10, 2**31, 2**63, 10**400, 1.5, -0.0, 1e308)),
    ]
    nested: list[Callable[[], Any]] = [
        lambda: [_value(draw, depth + 1) for _ in range(draw.randrange(4))],
        lambda: {_text(draw): _value(draw, depth + 1) for _ in range(draw.randrange(3))},
    ]
    return draw.choice(simple if depth > 2 else simple + nested)()


def _body(draw: random.Random) -> bytes:
    """Write a list as JSON in which something is wrong."""
    rows: list[Any] = [
        {"anime_id": draw.randrange(1, 60_000), "score": draw.randrange(11), "status": 2}
        for _ in range(draw.choice((0, 1, 30, 300)))
    ]
    for _ in range(draw.randrange(3)):
        wrong = {draw.choice(("anime_id", "score", "status", "x")): _value(draw)}
        rows.insert(draw.randrange(len(rows) + 1), draw.choice((wrong, _value(draw))))
    body = {"list": rows} | {draw.choice(OPTIONS): _value(draw) for _ in range(draw.randrange(3))}
    return json.dumps(body).encode()


def _mangled(draw: random.Random, data: bytes) -> bytes:
    """Cut out, double or overwrite pieces, or let one be repeated until limits are reached."""
    for _ in range(draw.choice((0, 0, 1, 3))):
        at, length = draw.randrange(len(data) + 1), draw.choice((1, 1, 8, 200))
        piece = data[at : at + length]
        new = draw.choice((b"", piece * 2, draw.randbytes(length), piece * draw.choice((1, 2_000))))
        data = data[:at] + new + data[at + length :]
    return data


def _post(draw: random.Random) -> bytes:
    kinds = ("application/json",) * 6 + ("text/plain", "", "application/json; charset=utf-16")
    target = f"/api/v1/recommendations?{_query(draw) if draw.random() < 0.2 else ''}"
    return _request(draw, "POST", target, _mangled(draw, _body(draw)), draw.choice(kinds))


def _list_file(draw: random.Random) -> bytes:
    """Write a list as a site exports it, or what only looks so."""
    rows = [
        (draw.randrange(1, 60_000), draw.randrange(11), _text(draw))
        for _ in range(draw.choice((0, 3, 300)))
    ]
    table = "\n".join(["mal_id,score,title", *(",".join(map(str, row)) for row in rows)])
    export = "".join(
        f"<anime><series_animedb_id>{a}</series_animedb_id><my_score>{s}</my_score></anime>"
        for a, s, _ in rows
    )
    records = [{"mal_id": a, "score": s, "title": t, "x": _value(draw)} for a, s, t in rows]
    data = draw.choice(
        (
            table.encode("utf-8", "surrogatepass"),
            f"<?xml version='1.0'?><myanimelist>{export}</myanimelist>".encode(),
            json.dumps(records).encode(),
            b"<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;'>]><myanimelist>&c;</myanimelist>",
            b"[" * draw.choice((10, 100_000)),
        )
    )
    return _packed(draw, _mangled(draw, data))


def _packed(draw: random.Random, data: bytes) -> bytes:
    match draw.randrange(4):
        case 0:
            return gzip.compress(data * draw.choice((1, 1, 50)), 9)
        case 1:
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                for number in range(draw.choice((0, 1, 3, 300))):
                    archive.writestr(f"{number}.xml", data)
            return _mangled(draw, stream.getvalue())
    return data


def _file(draw: random.Random) -> bytes:
    target = f"/api/v1/recommendations/file?{_query(draw) if draw.random() < 0.2 else ''}"
    return _request(draw, "POST", target, _list_file(draw), "application/octet-stream")


def _form(draw: random.Random) -> bytes:
    """Write the form of an upload, or the list that comes back in a field of it."""
    rows = [[draw.randrange(1, 60_000), 8.0, 2] for _ in range(3)]
    carried = json.dumps({"rows": [*rows, *([_value(draw)] * draw.randrange(2))]})
    fields = [(draw.choice((*OPTIONS, "choice", "list")), _text(draw)) for _ in range(2)]
    fields += [("list", carried)] * draw.randrange(2)
    if draw.random() < 0.4:
        data = urlencode(fields, errors="surrogatepass").encode()
        kind = "application/x-www-form-urlencoded"
        return _request(draw, "POST", "/upload", _mangled(draw, data), kind)
    edge = draw.choice(("edge", "x" * 70, ""))
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode(
            "utf-8", "surrogatepass"
        )
        for name, value in fields
    ]
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="export"; filename="{_text(draw)}"\r\n'
    )
    parts += [head.encode("utf-8", "surrogatepass"), b"\r\n", _list_file(draw), b"\r\n"]
    body = b"".join([*parts, f"--{edge}--\r\n".encode()])
    kind = f"multipart/form-data; boundary={edge}"
    return _request(draw, "POST", "/upload", _mangled(draw, body), kind)


def _bytes(draw: random.Random) -> bytes:
    """Write what is hardly HTTP any more."""
    return _mangled(draw, _mangled(draw, _address(draw))) + b"\r\n\r\n"


KINDS: tuple[tuple[str, Callable[[random.Random], bytes]], ...] = (
    ("addresses", _address),
    ("fans", _fan),
    ("bodies", _post),
    ("files", _file),
    ("forms", _form),
    ("bytes", _bytes),
)

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
