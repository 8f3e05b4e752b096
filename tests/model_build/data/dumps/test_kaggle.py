"""Downloading a dump: from a stand-in for Kaggle on this machine, and without network."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from model_build.cli import main
from model_build.data.dumps.prepared import open_prepared_dataset
from tests.model_build.worlds import ROOT

LISTS = "user_id,anime_id,rating\n" + "".join(
    f"{fan},{anime},{1 + (fan + anime) % 10}\n" for fan in range(1, 9) for anime in range(1, 9)
)
SLUG = "cooperunion/anime-recommendations-database"


class Kaggle(BaseHTTPRequestHandler):
    """Answers what kagglehub asks, by the last part of the path."""

    asked: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append(self.path)
        if self.path.endswith("GetDataset"):
            self._send("application/json", json.dumps({"currentVersionNumber": 1}).encode())
        else:
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as packed:
                packed.writestr("rating.csv", LISTS)
            self._send("application/zip", archive.getvalue())

    do_GET = do_POST  # noqa: N815 (the name that http.server looks for)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def kaggle() -> Iterator[tuple[int, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (Kaggle,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


def prepare(folder: Path, dataset: str, port: int) -> subprocess.CompletedProcess[str]:
    """`prepare` where everything that is asked for over HTTP goes to a port of this machine."""
    here = f"http://127.0.0.1:{port}"
    away = {"HTTP_PROXY": here, "http_proxy": here, "HTTPS_PROXY": here, "https_proxy": here}
    environment = {
        name: value
        for name, value in os.environ.items()
        if "proxy" not in name.lower() and not name.startswith("KAGGLE")
    }
    environment |= away | {
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "KAGGLEHUB_CACHE": str(folder / "cache"),
        "HOME": str(folder),
    }
    command = [sys.executable, "-m", "model_build", "prepare", "--dataset", dataset]
    return subprocess.run(
        [*command, "--out", str(folder / "out")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dump_is_downloaded(tmp_path: Path) -> None:
    with kaggle() as (port, asked):
        done = prepare(tmp_path, f"kaggle:{SLUG}", port)
    assert done.returncode == 0, done.stderr
    assert asked
    prepared = open_prepared_dataset(tmp_path / "out")
    assert prepared.dataset == "cooperunion2016"
    assert prepared.counts["entries"] == 64


def test_without_network_it_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    done = prepare(tmp_path, f"kaggle:{SLUG}", port)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()[-1:]
    assert line.startswith(f"model_build prepare: kaggle:{SLUG}: could not be downloaded")
    assert "--from" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("slug", ["someone/else", "cooperunion", ""])
def test_another_dataset_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], slug: str
) -> None:
    dataset = f"kaggle:{slug}"
    assert main(["prepare", "--dataset", dataset, "--out", str(tmp_path / "out")]) == 2
    assert "kaggle:hernan4444/anime-recommendation-database-2020" in capsys.readouterr().err
