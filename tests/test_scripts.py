"""The scripts set a project up, survive being stopped, and say in one sentence what is wrong."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 120.0
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")
} | {"PYTHON": sys.executable}
SET_UP = ["bash", "-c", ". scripts/environment.sh; use_environment requirements.txt"]
BUILD = "requirements-build.txt"
DEVELOPERS = ("requirements-dev.txt", "requirements-neural.txt")


def start(project: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=project,
        env=ENVIRONMENT | environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    _, told = process.communicate(timeout=SECONDS)
    return process.returncode, told.splitlines()


def write_project(folder: Path, requirements: str) -> Path:
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    (folder / "requirements.txt").write_text(requirements)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that needs nothing, set up."""
    folder = write_project(tmp_path_factory.mktemp("project"), "# nothing\n")
    for name in (*DEVELOPERS, BUILD):
        (folder / name).write_text("# nothing\n")
    status, told = end(start(folder, *SET_UP))
    assert (status, told[-1]) == (0, "installing requirements.txt")
    return folder


@pytest.fixture(scope="module")
def quick(project: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that sets up an environment, once there is one, by copying it."""
    folder = tmp_path_factory.mktemp("quick")
    made = shutil.copytree(project / ".venv", folder / "made", symlinks=True)
    for stamp in made.glob("installed-*"):
        stamp.unlink()
    python = folder / "python"
    python.write_text(f"""#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec "{sys.executable}" "$@"
shift 2
if [ "$1" = --clear ]; then rm -rf "$2"; shift; fi
mkdir -p "$1" && cp -a "{made}/." "$1"
""")
    python.chmod(0o755)
    return str(python)


def test_the_second_time_nothing_is_set_up(project: Path) -> None:
    assert end(start(project, *SET_UP)) == (0, [])


def test_several_files_are_installed_one_after_another(project: Path) -> None:
    set_up = ["bash", "-c", ". scripts/environment.sh; use_developer_environment"]
    assert end(start(project, *set_up)) == (0, [f"installing {name}" for name in DEVELOPERS])
    assert end(start(project, *set_up)) == (0, [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_installation_starts_over(
    tmp_path: Path, quick: str, number: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/p-1-py3-none-any.whl"
        project = write_project(tmp_path, f"p @ {address}\n")
        process = start(project, *SET_UP, NO_PROXY="127.0.0.1", PYTHON=quick)
        connection, _ = server.accept()  # pip waits for an answer that never comes
        with connection:
            os.killpg(process.pid, number)
            status, told = end(process)
    if number == signal.SIGINT:
        assert status == 130
        assert told[-1] == "interrupted; the next run starts over"
    else:
        assert status == -number
    (project / "requirements.txt").write_text("# nothing\n")
    (project / ".venv" / "half a package").touch()
    status, told = end(start(project, *SET_UP, PYTHON=quick))
    assert status == 0
    assert told[0].startswith("setting up .venv")
    assert not (project / ".venv" / "half a package").exists()
    assert end(start(project, *SET_UP)) == (0, [])


def test_an_installation_that_fails_is_told(tmp_path: Path, quick: str) -> None:
    project = write_project(tmp_path, "./nowhere.whl\n")
    for _ in range(2):
        status, told = end(start(project, *SET_UP, PYTHON=quick))
        assert status == 1
        assert told[-1] == "requirements.txt could not be installed; see pip's words above"
    assert not told[0].startswith("setting up"), "what is there already is kept"


def test_one_sets_up_at_a_time(tmp_path: Path) -> None:
    project = write_project(tmp_path, "# nothing\n")
    (project / ".venv-unfinished").write_text(f"{os.getpid()}\n")
    status, told = end(start(project, *SET_UP))
    assert status == 1
    assert len(told) == 1
    assert told[0].startswith(f"process {os.getpid()} is setting up .venv;")
    assert not (project / ".venv").exists()


def test_a_python_that_is_too_old_is_not_taken(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", "# nothing\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "cksum", "dirname"):
        (tools / name).symlink_to(shutil.which(name) or "")
    for name in ("python3", "python3.11"):
        (tools / name).write_text("#!/bin/sh\necho 'no such version' >&2\nexit 1\n")
        (tools / name).chmod(0o755)
    command = [str(tools / "bash"), "scripts/serve"]
    status, told = end(start(project, *command, PATH=str(tools), PYTHON=""))
    assert status == 1
    assert told == ["Python 3.11 or newer is needed and was not found; set PYTHON to name one"]
    assert not (project / ".venv").exists()


def test_a_port_that_is_taken_is_told(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        status, told = end(start(project, "scripts/serve", "--port", str(port)))
    assert status == 1
    assert told == [
        f"scripts/serve: cannot listen on 127.0.0.1, port {port}: Address already in use; "
        "choose another with --port or --host"
    ]


@pytest.mark.parametrize("arguments", [["--port"], ["--port", "x"], ["--port", "65536"], ["8000"]])
def test_wrong_arguments_are_told(arguments: list[str], tmp_path: Path) -> None:
    project = write_project(tmp_path, "# nothing\n")
    status, told = end(start(project, "scripts/serve", *arguments))
    assert status == 2
    assert len(told) == 1
    assert "usage: scripts/serve [--port N]" in told[0]


TELLS = """import os, sys
print(sys.prefix, *(os.path.abspath(word) for word in sys.argv[1:]), file=sys.stderr)
"""
"""A module that stands in for what a script runs: where it is, and what paths mean there."""


@pytest.fixture(scope="module")
def stubs(project: Path) -> Path:
    """The project with modules that say what they were given."""
    places = ("bench", "title_search", "profile", "attack", "look", "scale", "dask_constants")
    modules = [f"benchmarks/{name}.py" for name in (*places, "generate/__main__", "outside_check")]
    for name in (*modules, "model_build/__main__.py", "scripts/age_rating_fit.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(TELLS)
    tools = {
        "pybabel": "pwd >&2\n",
        # Makes an environment, of outside_check, whose Python does nothing.
        "python3": 'mkdir -p "$3/bin"; cd "$3/bin"; echo "#!/bin/sh" >python; chmod +x python\n',
    }
    for name, does in tools.items():
        tool = project / ".venv" / "bin" / name
        tool.unlink(missing_ok=True)
        tool.write_text(f"#!/bin/sh\n{does}")
        tool.chmod(0o755)
    return project


@pytest.mark.parametrize(
    ("script", "option"),
    [
        ("bench", "--ratings"),
        ("bench_search", "--model"),
        ("profile", "--model"),
        ("attack", "--model"),
        ("look", "--out"),
        ("scale", "--work"),
        ("generate", "--out"),
        ("dask_constants", "--ratings"),
        ("fit_age_ratings", None),
        ("outside_check", None),
        ("rebuild_model", None),
        ("refresh", "--config"),
    ],
)
def test_paths_are_those_of_the_caller(
    stubs: Path, tmp_path: Path, script: str, option: str | None
) -> None:
    command = os.path.relpath(stubs / "scripts" / script, tmp_path)
    words = ["mine"] if option is None else [option, "mine"]
    status, told = end(start(tmp_path, command, *words))
    assert status == 0, told
    assert str(tmp_path / "mine") in " ".join(told)
    assert f"{stubs}/.venv " in told[-1]


def test_words_are_written_in_the_checkout(stubs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "further" / "down"
    folder.mkdir(parents=True)
    status, told = end(start(folder, os.path.relpath(stubs / "scripts" / "words", folder)))
    assert (status, told[-2:]) == (0, [str(stubs)] * 2)
