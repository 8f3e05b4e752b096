"""`scripts/serve --reload` on a copy of the project: changes are there with the next request."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("app", "templates", "static", "scripts")
SECONDS = 120


class DevServer:
    """The server on a copy, and what it says."""

    def __init__(self, project: Path, process: subprocess.Popen[str]) -> None:
        self.project, self._process = project, process
        port = self.wait_for(r"port (\d+)")
        self.url = f"http://127.0.0.1:{port}"
        self.wait_for("ready after")

    def wait_for(self, pattern: str) -> str:
        assert self._process.stderr is not None
        told = []
        for line in self._process.stderr:
            told.append(line)
            if found := re.search(pattern, line):
                return found[1] if found.groups() else line
        raise AssertionError("".join(told))

    def get(self, path: str = "/") -> requests.Response:
        return requests.get(self.url + path, timeout=SECONDS)

    def change(self, path: str, old: str, new: str) -> None:
        text = (self.project / path).read_text("utf-8")
        assert old in text
        (self.project / path).write_text(text.replace(old, new, 1), "utf-8")


@contextmanager
def serving(project: Path, model: Path) -> Iterator[DevServer]:
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("HAKKEN")}
    environment |= {"HAKKEN_MODEL": str(model), "HAKKEN_CACHE_DIR": str(project / "cache")}
    command = [sys.executable, "-m", "scripts.dev_server", "--port", "0"]
    with subprocess.Popen(
        command, cwd=project, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield DevServer(project, process)
        finally:
            process.terminate()


@pytest.fixture
def dev(tiny_model: Path, tmp_path: Path) -> Iterator[DevServer]:
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name)
    with serving(tmp_path, tiny_model) as server:
        yield server


def test_changes_are_there_with_the_next_request(dev: DevServer) -> None:
    def stylesheet(page: str) -> str:
        (address,) = set(re.findall(r'href="(/static/hakken\.css\?v=\w+)"', page))
        return str(address)

    before = dev.get().text
    dev.change("templates/home.html", "{% block main %}", "{% block main %}<p>Fresh words</p>")
    dev.change("static/hakken.css", ":root", ".fresh{color:red}\n:root")
    page = dev.get().text
    assert "Fresh words" in page
    assert stylesheet(page) != stylesheet(before)
    assert ".fresh" in dev.get(stylesheet(page)).text

    dev.change("app/web/views/about.py", "    page = render", "    page = 1 / 0 or render")
    dev.change("app/web/views/health.py", '@blueprint.get("/healthz")', '@blueprint.get("/wellz")')
    dev.wait_for("ready after")
    assert (dev.get("/wellz").status_code, dev.get("/healthz").status_code) == (200, 404)

    # A mistake is told in the terminal, and mended with the next change.
    dev.change(
        "app/web/views/health.py", "from __future__", "from nowhere import x\nfrom __future__"
    )
    dev.wait_for("SyntaxError|ModuleNotFoundError")
    dev.change("app/web/views/health.py", "from nowhere import x\n", "")
    dev.wait_for("ready after")

    # A bug reaches the debugger; what a visitor did wrong is a page as ever.
    failed = dev.get("/about")
    assert failed.status_code == 500
    assert "Werkzeug Debugger" in failed.text
    assert "ZeroDivisionError" in failed.text
    assert "Content-Security-Policy" not in failed.headers
    assert dev.get("/?__debugger__=yes&cmd=resource&f=debugger.js").status_code == 200
    assert "Werkzeug" not in dev.get("/nothing-here").text
