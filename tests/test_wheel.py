"""What `pip install .` brings, where nothing of the checkout is in reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.tiny_model import anime_ids
from tests.web.server import Server

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("app", "hakken_mcp", "model_build", "templates", "static", "bundled_model")
LIST = "anime_id,rating,status\n" + "".join(f"{n},10,2\n" for n in anime_ids()[10:14])
ENVIRONMENT = os.environ | {"NUMBA_DISABLE_JIT": "1"}  # for the tiny model compiling takes longer


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without network from a copy, so that nothing is left in the checkout."""
    source = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        shutil.copytree(ROOT / name, source / name, copy_function=os.link)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", "made", "."],
        cwd=source,
        check=True,
    )
    (made,) = (source / "made").iterdir()
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment of its own, which has what is locked, and the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = str(folder / "bin" / "python")
    told = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    (Path(told.stdout.strip()) / "locked.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True)
    return folder / "bin"


def run(
    installed: Path, folder: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [installed / "hakken", *words],
        cwd=folder,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def serving(installed: Path, folder: Path) -> Iterator[Server]:
    """What `hakken serve` starts."""
    environment = {"HAKKEN_CACHE_DIR": str(folder / "cache"), "WEB_CONCURRENCY": "1"}
    environment["HAKKEN_MODEL"] = "model"
    command = [str(installed / "hakken"), "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT | environment, stderr=subprocess.PIPE, text=True
    ) as process:
        server = Server(process)
        try:
            yield server
        finally:
            server.stop()


def test_the_wheel_has_every_file_that_git_has(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", *SHIPPED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    kept = {
        name if name.startswith(("app/", "hakken_mcp/", "model_build/")) else f"app/{name}"
        for name in tracked
    }
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
    assert len(kept) > 300
    assert {name for name in names if not name.endswith(".pyc")} >= kept
    assert {name.partition("/")[0] for name in names} == {"app", "hakken_mcp", "model_build"}


def test_the_bundled_model_comes_along(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "fetch", "--from", "bundled", "--out", "model")
    assert done.returncode == 0, done.stderr
    manifest = tmp_path / "model" / "manifest.json"
    assert manifest.read_bytes() == (ROOT / "bundled_model" / "manifest.json").read_bytes()


def test_the_command_recommends_and_serves(
    installed: Path, tiny_model: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_model, tmp_path / "model")
    (tmp_path / "list.csv").write_text(LIST)
    words = ("recommend", "--model", "model", "--list", "list.csv", "--top", "3")
    picks = run(installed, tmp_path, *words)
    assert picks.returncode == 0, picks.stderr
    assert picks.stdout.count("because of") == 3
    with serving(installed, tmp_path) as server:
        for path in ("/", "/about", "/readyz", "/static/hakken.css"):
            assert requests.get(server.url + path, timeout=120).status_code == 200, path


def test_the_command_says_what_it_can_do_and_what_is_wrong(installed: Path, tmp_path: Path) -> None:
    told = run(installed, tmp_path, "--help")
    assert told.stdout.startswith("usage: hakken ")
    wrong = run(installed, tmp_path, "recomend")
    assert wrong.returncode == 2
    assert wrong.stderr == "hakken: there is no command recomend; did you mean recommend?\n"


def test_a_command_names_the_extra_that_it_needs(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['polars'] = None")
    (tmp_path / "list.csv").write_text(LIST)
    words = ("recommend", "--model", str(tmp_path), "--list", "list.csv")
    done = run(installed, tmp_path, *words, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("hakken recommend: needs polars, which is not installed: ")
    assert "'hakken[build]'" in line
