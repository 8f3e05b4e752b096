"""Experiment trackers: real ones, read back by other means than they were written."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_build.cli import main
from model_build.tracking import pyfunc_files
from model_build.tracking.pyfunc_files import write_pyfunc_files
from model_build.tracking.trackers import MetricValues, Parameters, Tracking
from tests.model_build.pipeline.shop import CONFIG, Shop, make_shop
from tests.model_build.worlds import ROOT

TRACKED = f"{CONFIG}\n[mlflow]\n\n[wandb]\nmodel_files = true\n"
LOST = f'{CONFIG}\n[mlflow]\nuri = "http://127.0.0.1:1"\n'
SCRIPT = """
import contextlib, io, json, sys
from model_build.cli import main

told = []
for command in json.loads(sys.argv[1]):
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        status = main(command)
    loaded = sorted({"mlflow", "wandb", "alembic"} & set(sys.modules))
    told.append({"status": status, "error": error.getvalue(), "loaded": loaded})
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Tracked:
    """What was said of four builds in a process of their own, where trackers are imported.

    Only `compare` runs again in them; the rest is up to date, and is tracked all the same.
    """

    shop: Shop
    untracked: dict[str, Any]
    both: dict[str, Any]
    failed: dict[str, Any]
    lost: dict[str, Any]

    @property
    def work(self) -> Path:
        return self.shop.work


@pytest.fixture(scope="module")
def tracked(built: Shop, tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    folder = tmp_path_factory.mktemp("tracked") / "shop"
    shop = Shop(shutil.copytree(built.folder, folder))
    lost = Shop(shutil.copytree(built.folder, folder.with_name("lost")))
    lost.config.write_text(LOST)
    commands = [shop.command("--set", "compare.fans=17")]
    commands.append([*commands[0][:2], str(folder / "tracked.toml"), "--set", "compare.fans=16"])
    commands.append([*commands[1][:3], "--only", "publish", "--set", "publish.to=tracked.toml"])
    commands.append(lost.command("--set", "compare.fans=16"))
    (folder / "tracked.toml").write_text(TRACKED)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(folder)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return Tracked(shop, *json.loads(done.stdout))


@pytest.fixture
def database(tracked: Tracked) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tracked.work / "mlflow.db")) as connection:
        yield connection


def measured(shop: Shop) -> dict[str, float]:
    """What must have been tracked of the measures."""
    found = {f"evaluate.{name}": value for name, value in shop.read("measures.json").items()}
    for name, value in shop.read("measures-als.json").items():
        found[f"evaluate.als.{name}"] = value
    for row in shop.read("comparison.json"):
        found |= {f"compare.{row['name']}.{key}": value for key, value in row["measured"].items()}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def test_mlflow_has_parameters_and_metrics(tracked: Tracked, database: sqlite3.Connection) -> None:
    runs = database.execute("select run_uuid, status from runs order by start_time").fetchall()
    assert [status for _, status in runs] == ["FINISHED", "FAILED"]
    (run_id, _) = runs[0]
    metrics = dict(
        database.execute("select key, value from metrics where run_uuid = ?", [run_id]).fetchall()
    )
    expected = {name.replace("@", "_at_"): value for name, value in measured(tracked.shop).items()}
    assert len(expected) > 20
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)
    assert metrics["seconds.compare"] > 0
    parameters = dict(
        database.execute("select key, value from params where run_uuid = ?", [run_id]).fetchall()
    )
    assert parameters["train.shrinkage"] == "10.0"
    assert parameters["evaluate.seed"] == "7"
    assert parameters["model.reg_user"] == "15.0"


def test_mlflow_has_the_results_and_registers_the_model(
    tracked: Tracked, database: sqlite3.Connection
) -> None:
    ((run_id, place),) = database.execute(
        "select run_uuid, artifact_uri from runs where status = 'FINISHED'"
    ).fetchall()
    folder = Path(place.removeprefix("file://"))
    for name in ("measures.json", "comparison.json"):
        assert json.loads((folder / name).read_text("utf-8")) == tracked.shop.read(name)
    model = tracked.work / "model"
    for file in model.iterdir():
        assert (folder / "model" / file.name).read_bytes() == file.read_bytes()
    assert (folder / "MODEL_CARD.md").is_file()
    registered = database.execute("select name, source, run_id from model_versions").fetchall()
    assert registered == [("hakken", f"{place}/model", run_id)]
    versions = database.execute("select key, value from model_version_tags").fetchall()
    assert versions == [("version", tracked.shop.model.version)]


def wandb_records(data: bytes) -> bytes:
    """Return what a file of wandb holds, without the heads that part it in blocks as LevelDB's."""
    block, head = 32_768, 7
    at, found = head, b""  # the file has a head as well
    while at + head <= len(data):
        if block - at % block < head:  # no head fits into what is left of the block
            at += block - at % block
            continue
        length = int.from_bytes(data[at + 4 : at + 6], "little")
        found += data[at + head : at + head + length]
        at += head + length
    return found


def test_wandb_keeps_runs_offline_where_it_has_no_key(tracked: Tracked) -> None:
    first, failed = sorted((tracked.work / "wandb").glob("offline-run-*"))
    (file,) = first.glob("*.wandb")
    text = wandb_records(file.read_bytes()).decode("latin-1")
    for name, value in measured(tracked.shop).items():
        # Between them are lengths, which may be any byte.
        written = rf"{re.escape(name)}.{{1,6}}?({re.escape(json.dumps(value))})"
        assert re.search(written, text, re.DOTALL), name
    assert "train.shrinkage" in text
    assert tracked.shop.model.version in text
    assert failed.is_dir()
    assert not (tracked.shop.folder / ".cache" / "wandb").exists()
    assert not (tracked.shop.folder / ".netrc").exists()


def test_a_server_that_is_not_there_stops_nothing(tracked: Tracked) -> None:
    assert tracked.lost["status"] == 0
    (line,) = tracked.lost["error"].splitlines()
    assert line.startswith("mlflow: ")
    assert line.endswith("; the build goes on untracked.")


def test_builds_say_no_more_than_without_trackers(tracked: Tracked) -> None:
    assert (tracked.both["status"], tracked.both["error"]) == (0, "")
    assert tracked.failed["status"] == 2
    (line,) = tracked.failed["error"].splitlines()
    assert line.startswith("model_build pipeline: publish: ")


def test_nothing_of_a_tracker_is_imported_where_none_is_named(tracked: Tracked) -> None:
    assert tracked.untracked == {"status": 0, "error": "", "loaded": []}
    assert tracked.both["loaded"] == ["alembic", "mlflow", "wandb"]


def test_a_build_with_nothing_to_do_is_no_run(shop: Shop) -> None:
    before = sorted(shop.work.iterdir())
    shop.config.write_text(TRACKED)
    assert main(shop.command()) == 0
    assert sorted(shop.work.iterdir()) == before


@pytest.mark.parametrize("module", ["mlflow", "wandb"])
def test_one_that_is_not_installed_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not there
    shop = make_shop(tmp_path / "shop", f"{CONFIG}[{module}]\n")
    assert shop.refused(capsys) == (
        f"[{module}]: {module} is not installed; pip install -r requirements-tracking.txt."
    )
    assert not shop.work.exists()


def test_the_packages_of_a_registered_model_are_those_of_checkout_or_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pyfunc_files(tmp_path / "checkout", "3")
    wanted = (tmp_path / "checkout" / "requirements.txt").read_text("utf-8").splitlines()
    assert {"numpy", "polars", "pandas"} <= {re.split(r"\W", line)[0] for line in wanted}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {"": extras["dependencies"], **extras["optional-dependencies"]}
    lines = [
        f"Requires-Dist: {line}" + (f'; extra == "{extra}"' if extra else "")
        for extra, found in extras.items()
        for line in found
    ]
    about = tmp_path / "site" / "hakken-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("\n".join(["Name: hakken", "Version: 1", *lines]) + "\n")
    for package in ("app", "model_build"):
        (tmp_path / "site" / package / "bundled_model").mkdir(parents=True)
    monkeypatch.setattr(pyfunc_files, "ROOT", tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    write_pyfunc_files(tmp_path / "installed", "3")
    assert (tmp_path / "installed" / "requirements.txt").read_text("utf-8").splitlines() == wanted
    assert not list((tmp_path / "installed").rglob("bundled_model"))


class Failing:
    """A tracker that fails at its first metrics, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def start_run(self, parameters: Parameters) -> None:
        self.asked.append("begin")

    def log_metrics(self, metrics: MetricValues) -> None:
        self.asked.append("metrics")
        raise RuntimeError("the disk\nis full")

    def log_file(self, path: Path) -> None:
        self.asked.append("file")

    def log_model(self, folder: Path, version: str, parameters: Parameters) -> None:
        self.asked.append("model")

    def end_run(self, *, succeeded: bool) -> None:
        self.asked.append("end")


def test_a_tracker_that_fails_is_told_once_and_left_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing = Failing()
    tracking = Tracking({"mine": lambda: failing})
    tracking.start_run({})
    tracking.start_run({})
    tracking.each(lambda tracker: tracker.log_metrics({"a": 1}))
    tracking.each(lambda tracker: tracker.log_file(Path("x")))
    tracking.each(lambda tracker: tracker.end_run(succeeded=True))
    assert failing.asked == ["begin", "metrics"]
    assert capsys.readouterr().err == "mine: the disk is full; the build goes on untracked.\n"
