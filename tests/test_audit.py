from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import PROJECT_ROOT
from demo.http_server import FakeResponse, FakeServer, RecordedRequest, json_response

FLAW = {
    "id": "PYSEC-0000-1",
    "aliases": [],
    "summary": "made up",
    "details": "",
    "published": "2026-01-01T00:00:00Z",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "flawed", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2.4"}]}],
            "versions": ["1.2.3"],
        }
    ],
}


@pytest.fixture
def database() -> Iterator[FakeServer]:
    """An OSV database in which one package has a flaw."""

    def answer(asked: RecordedRequest) -> FakeResponse:
        flawed = asked.body["package"]["name"] == "flawed"
        return json_response(200, {"vulns": [FLAW]} if flawed else {})

    with FakeServer(answer) as server:
        yield server


def audit(folder: Path, url: str, *names: str) -> subprocess.CompletedProcess[str]:
    for name in names:
        info = folder / f"{name}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
    places = ("--path", str(folder), "--osv-url", f"{url}/v1/query")
    return subprocess.run(
        [sys.executable, "-m", "scripts.audit_packages", *places],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_known_vulnerability_fails(database: FakeServer, tmp_path: Path) -> None:
    done = audit(tmp_path, database.url, "flawed", "sound")
    assert done.returncode == 1, done.stderr
    assert done.stdout == "flawed 1.2.3: PYSEC-0000-1, fixed in 1.2.4\n"


def test_without_any_all_is_well(database: FakeServer, tmp_path: Path) -> None:
    done = audit(tmp_path, database.url, "sound", "solid")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 packages, no known vulnerability\n"
    assert {asked.body["package"]["name"] for asked in database.requests} == {"sound", "solid"}


def test_that_nobody_could_be_asked_is_neither(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = audit(tmp_path, f"http://127.0.0.1:{port}", "sound")
    assert done.returncode == 3
    assert done.stderr.startswith("NOTHING WAS AUDITED: ")
    assert "Connection refused" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
