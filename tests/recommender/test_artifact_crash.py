"""Writing a model is all or nothing, whatever happens on the way."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from app.recommender import ArtifactError, Model
from model_build.cli import main
from tests.model_build.worlds import ROOT, random_frame, train_model

KILLED_AT_CALL = """
import os, signal, sys
name, number = sys.argv[1], int(sys.argv[2])
real, calls = getattr(os, name), 0
def counted(*arguments, **options):
    global calls
    calls += 1
    if calls == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)
setattr(os, name, counted)
from model_build.cli import main
sys.exit(main(sys.argv[3:]))
"""


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "new.parquet"
    random_frame(4, 30, 20, 0.4).write_parquet(path)
    return path


@pytest.fixture
def old(tmp_path: Path) -> Model:
    """A model that stands at the place to be written."""
    return train_model(random_frame(3, 30, 20, 0.4), tmp_path / "place")


def train_killed(ratings: Path, out: Path, call: str, number: int) -> None:
    command = ["train", "--quiet", "--ratings", str(ratings), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_CALL, call, str(number), *command],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def fail_at(number: int, error: BaseException) -> Callable[[int], None]:
    calls = 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise error

    return fsync


@pytest.mark.parametrize(("call", "number"), [("fsync", 1), ("fsync", 5), ("rename", 1)])
def test_killed_while_writing_leaves_nothing_that_opens(
    tmp_path: Path, ratings: Path, call: str, number: int
) -> None:
    out = tmp_path / "models" / "model"
    train_killed(ratings, out, call, number)
    with pytest.raises(ArtifactError):
        Model.open(out)
    assert not out.exists()
    # And what was left behind is in nobody's way.
    assert main(["train", "--quiet", "--ratings", str(ratings), "--out", str(out)]) == 0
    Model.open(out)


@pytest.mark.parametrize(("call", "number"), [("fsync", 1), ("fsync", 5), ("rename", 1)])
def test_killed_while_replacing_leaves_the_old_model(
    ratings: Path, old: Model, call: str, number: int
) -> None:
    out = old.catalogue_path.parent
    train_killed(ratings, out, call, number)
    assert Model.open(out).version == old.version


def test_killed_between_the_two_renames_loses_no_model(
    tmp_path: Path, ratings: Path, old: Model
) -> None:
    """At that instant nothing may be in place, but both models are there, whole."""
    out = old.catalogue_path.parent
    train_killed(ratings, out, "rename", 2)
    versions = set()
    for manifest in out.parent.glob("**/manifest.json"):
        versions.add(Model.open(manifest.parent).version)
    assert old.version in versions
    assert len(versions) == 2


@pytest.mark.parametrize("number", [1, 3, 8])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_an_error_while_writing_leaves_no_trace(
    tmp_path: Path,
    ratings: Path,
    old: Model,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: BaseException,
) -> None:
    out = old.catalogue_path.parent
    fresh = tmp_path / "fresh" / "model"
    for place in (out, fresh):
        monkeypatch.setattr(os, "fsync", fail_at(number, error))
        status = 1  # what Python exits with on an error that nobody caught
        with suppress(OSError):
            status = main(["train", "--quiet", "--ratings", str(ratings), "--out", str(place)])
        assert status != 0
    assert Model.open(out).version == old.version
    assert list(fresh.parent.iterdir()) == []
    assert sorted(path.name for path in out.parent.iterdir()) == ["model", "ratings.parquet"]


def test_replacing_a_model_leaves_the_new_one_alone(ratings: Path, old: Model) -> None:
    out = old.catalogue_path.parent
    (out / "stray.txt").write_text("left by someone")
    assert main(["train", "--quiet", "--ratings", str(ratings), "--out", str(out)]) == 0
    new = Model.open(out)
    assert new.version != old.version
    assert new.anime_id.tolist() == sorted(pl.read_parquet(ratings)["anime_id"].unique())
    files = json.loads((out / "manifest.json").read_text("utf-8"))["files"]
    assert {path.name for path in out.iterdir()} == {*files, "manifest.json"}
    assert sorted(path.name for path in out.parent.iterdir()) == ["model", "ratings.parquet"]
    # Whoever had the old one open still reads it: its pages outlive its name.
    assert len(old) == len(old.item_bias)
    assert old.item_bias.sum() != new.item_bias.sum()


def test_a_damaged_model_can_be_replaced(ratings: Path, old: Model) -> None:
    out = old.catalogue_path.parent
    (out / "anime_id.npy").write_bytes(b"")
    assert main(["train", "--quiet", "--ratings", str(ratings), "--out", str(out)]) == 0
    Model.open(out)
