"""What a Sentry is told of a bug: a stand-in on this machine receives the real reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest
from urllib3 import HTTPResponse

from app import VERSION
from app.settings import PROJECT_ROOT

NAME = "Someparticularfan"
CLIENT_ID = "0123456789abcdef"

# A bug whose message and local variables tell more than anybody should know.
BUG = f"""
import sys
import app.wsgi
import sentry_sdk

def broken(source, username):
    watched = ["{NAME}", "a list"]
    raise ValueError(f"no idea about {{username}} and {CLIENT_ID}")

app.wsgi.app.view_functions["pages.show_user_recommendations"] = broken
answer = app.wsgi.app.test_client().get(
    "/user/anilist/{NAME}?hide=5", headers={{"X-Request-ID": "number-17", "Cookie": "a={NAME}"}}
)
assert answer.status_code == 500, answer.status_code
sentry_sdk.flush(30)
"""


@pytest.fixture
def sink() -> Iterator[tuple[str, SimpleQueue[bytes]]]:
    """The address of a Sentry project, and what arrives there."""
    arrived: SimpleQueue[bytes] = SimpleQueue()

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            # Packed in one way or another.
            arrived.put(HTTPResponse(BytesIO(body), dict(self.headers)).data)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://key@127.0.0.1:{server.server_address[1]}/1", arrived
        server.shutdown()


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bug_is_reported_without_anybody_s_data(
    sink: tuple[str, SimpleQueue[bytes]], tiny_model: Path, tmp_path: Path
) -> None:
    dsn, arrived = sink
    environment = {
        "HAKKEN_MODEL": str(tiny_model),
        "HAKKEN_CACHE_DIR": str(tmp_path),
        "HAKKEN_SENTRY_DSN": dsn,
        "MAL_CLIENT_ID": CLIENT_ID,
    }
    done = run(BUG, **environment)
    assert done.returncode == 0, done.stderr
    envelope = arrived.get(timeout=120)
    assert arrived.empty()
    event = json.loads(envelope.splitlines()[2])
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "")
    frames = exception["stacktrace"]["frames"]
    assert frames[-1]["function"] == "broken"
    assert not [frame for frame in frames if "vars" in frame]
    assert event["transaction"] == "/user/<source>/<path:username>"
    assert event["tags"] == {"request_id": "number-17"}
    assert event["release"] == f"hakken@{VERSION}"
    assert not {"request", "user", "breadcrumbs", "modules", "extra", "server_name"} & set(event)
    for secret in (NAME, CLIENT_ID, "hide=5", os.uname().nodename):
        assert secret.encode() not in envelope
    # The log has the same bug, and no more of whom it was about.
    assert "request number-17 failed" in done.stderr
    assert NAME not in done.stderr
    assert CLIENT_ID not in done.stderr


def test_without_the_package_the_start_says_so(tiny_model: Path) -> None:
    code = "import sys; sys.modules['sentry_sdk'] = None; import app.wsgi"
    done = run(code, HAKKEN_MODEL=str(tiny_model), HAKKEN_SENTRY_DSN="https://key@host/1")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("hakken: HAKKEN_SENTRY_DSN: the package sentry-sdk is not installed;")


def test_an_address_that_is_no_sentry_s_stops_the_start(tiny_model: Path) -> None:
    done = run(
        "import app.wsgi", HAKKEN_MODEL=str(tiny_model), HAKKEN_SENTRY_DSN="https://host/nothing"
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "hakken: HAKKEN_SENTRY_DSN: not the address of a Sentry project."
    ]


def test_without_the_setting_the_package_is_not_loaded(tiny_model: Path) -> None:
    code = "import sys, app.wsgi; assert 'sentry_sdk' not in sys.modules"
    assert run(code, HAKKEN_MODEL=str(tiny_model)).returncode == 0
