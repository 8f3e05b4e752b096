from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import PROJECT_ROOT, SettingsError, load_server_settings, load_settings
from tests.web.server import at, running_hakken

QUICK = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/")}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT_ROOT,
        env={**QUICK, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [("-c", "import app.wsgi"), ("-m", "gunicorn", "app.wsgi:app")],
    ids=["import", "gunicorn"],
)
def test_a_setting_that_cannot_be_used_stops_the_start(command: tuple[str, ...]) -> None:
    done = run(*command, HAKKEN_LIST_DEADLINE="soon", PORT="0")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("hakken: ")]
    assert line.startswith("hakken: HAKKEN_LIST_DEADLINE='soon': ")
    assert "Traceback" not in done.stderr


def test_a_server_setting_that_cannot_be_used_stops_the_start() -> None:
    done = run("-m", "gunicorn", "app.wsgi:app", PORT="eighty")
    assert done.returncode == 2
    assert done.stderr.startswith("hakken: PORT='eighty': ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("HAKKEN_RATE_LISTS", "quickly", True),
        ("HAKKEN_TRUSTED_PROXIES", "-1", True),
        ("HAKKEN_LOG_FORMAT", "xml", True),
        ("HAKKEN_CACHE_URL", "http://:a-password@host", False),
        ("HAKKEN_METRICS_TOKEN", "too-short", False),
        ("HAKKEN_SENTRY_DSN", "key@host", False),
    ],
)
def test_a_wrong_value_is_named_but_a_secret_never_shown(
    name: str, value: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings()
    assert (value in str(caught.value)) is shown


def test_a_variable_that_is_no_setting_is_named() -> None:
    done = run("-c", "import app.wsgi", HAKKEN_LIST_DEADLIN="5", HAKKEN_MODEL="nowhere")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "HAKKEN_LIST_DEADLIN" in line]
    assert line.endswith("HAKKEN_LIST_DEADLIN is no setting: see docs/settings.md")


def test_files_of_several_versions_are_one_sentence() -> None:
    code = "import sys; sys.modules['app.web.services.filters'] = None; import app.wsgi"
    done = run("-c", code, HAKKEN_MODEL="nowhere")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "app.web.services.filters" in line
    assert line.endswith("the files are of several versions, get them anew.")


def test_who_runs_as_root_is_warned(tiny_model: Path, tmp_path: Path) -> None:
    with running_hakken(at(tiny_model, tmp_path)) as server:
        server.wait_for("Booting worker")
    assert ("Hakken runs as root" in server.said) is (os.geteuid() == 0)


def test_server_settings_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "WEB_CONCURRENCY", "HAKKEN_THREADS"):
        monkeypatch.delenv(name, raising=False)
    settings = load_server_settings()
    assert (settings.port, settings.workers, settings.threads) == (8000, 2, 8)
    monkeypatch.setenv("WEB_CONCURRENCY", "0")
    with pytest.raises(SettingsError, match="WEB_CONCURRENCY='0'"):
        load_server_settings()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"HAKKEN_REQUEST_DEADLINE": "30"}, "HAKKEN_REQUEST_DEADLINE='30': Value error, should"),
        ({"HAKKEN_BODY_DEADLINE": "121"}, "should not be below HAKKEN_BODY_DEADLINE (121)"),
    ],
)
def test_deadlines_that_contradict_stop_the_start(changes: dict[str, str], said: str) -> None:
    done = run("-m", "gunicorn", "app.wsgi:app", **changes, PORT="0")
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_core_does_not_load_the_web() -> None:
    code = "import sys, app.recommender; assert 'flask' not in sys.modules"
    assert run("-c", code).returncode == 0


def test_serving_needs_nothing_that_trains(tiny_model: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('polars', 'scipy', 'tqdm', 'surprise', 'model_build'):\n"
        "    sys.modules[name] = None\n"
        "import app.wsgi\n"
        "assert app.wsgi.app.test_client().get('/readyz').status_code == 200"
    )
    done = run("-c", code, HAKKEN_MODEL=str(tiny_model))
    assert done.returncode == 0, done.stderr


SOLVE = (
    "import numpy as np\n"
    "from app.recommender.kernels import solve_lower\n"
    "print(solve_lower(np.eye(1) * 2, np.ones((1, 1)))[0, 0])"
)


def test_it_starts_where_there_is_no_room_for_compiled_code(tmp_path: Path) -> None:
    done = subprocess.run(
        ["prlimit", "--fsize=500", sys.executable, "-c", SOLVE],
        cwd=PROJECT_ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "0.5\n"), done.stderr
    assert [file for file in tmp_path.rglob("*.nbc") if file.stat().st_size > 500] == []


def test_it_starts_where_nothing_can_be_written() -> None:
    """Without a folder for compiled code, which is then compiled again."""
    # A way of keeping it that is only for code in a zip file, so for none of this.
    done = run("-c", SOLVE, NUMBA_CACHE_LOCATOR_CLASSES="ZipCacheLocator")
    assert (done.returncode, done.stdout) == (0, "0.5\n"), done.stderr


def test_a_start_does_without_libraries_that_only_some_need() -> None:
    some_need = "('redis', 'pyrate_limiter', 'google.cloud', 'boto3', 'sentry_sdk')"
    code = f"import app.wsgi, sys; print([name for name in {some_need} if name in sys.modules])"
    assert run("-c", code, HAKKEN_MODEL="nowhere").stdout == "[]\n"
