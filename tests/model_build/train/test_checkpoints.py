"""A training that was stopped goes on where it was, and with nothing that is not its own."""

from __future__ import annotations

import re
import shutil
import signal
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.recommender import Model
from model_build.cli import main
from model_build.train.checkpoints import CheckpointStore
from tests.model_build.artifact.publisher import kill_at_stage, start
from tests.model_build.worlds import random_frame

STAGES = ("similarity", "taste-similarity", "taste-factors", "pair-sums", "affinity", "newcomer")


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("checkpoints") / "ratings.parquet"
    random_frame(11, 60, 40, 0.5).write_parquet(file)
    return file


def command(ratings: Path, folder: Path, *options: str) -> list[str]:
    return [
        *("train", "--quiet", "--ratings", str(ratings), "--out", str(folder / "model")),
        *("--work", str(folder / "work"), *options),
    ]


def assert_killed(
    arguments: list[str], log: Path, stage: str, min_entries: int | None = None
) -> None:
    """Run a training that is killed when a stage begins."""
    killed = start(arguments, log, first=partial(kill_at_stage, stage, min_entries))
    killed.join()
    assert killed.exitcode == -signal.SIGKILL, log.read_text("utf-8")


def taken(told: str) -> list[str]:
    """The stages that were found finished."""
    return re.findall(r"^([\w-]+): finished before", told, re.M)


def assert_same_arrays(one: Path, other: Path) -> None:
    names = {file.name for file in one.glob("*.npy")}
    assert names == {file.name for file in other.glob("*.npy")}
    for name in names:
        np.testing.assert_array_equal(np.load(one / name), np.load(other / name), err_msg=name)


@pytest.fixture(scope="module")
def uninterrupted(ratings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    assert main(command(ratings, folder)) == 0
    return folder


@pytest.mark.parametrize("stage", ["taste-similarity", "pair-sums", "newcomer"])
def test_a_killed_training_goes_on(
    ratings: Path,
    uninterrupted: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stage: str,
) -> None:
    assert_killed(command(ratings, tmp_path), tmp_path / "log", stage)
    assert not (tmp_path / "model").exists()
    assert main(command(ratings, tmp_path)) == 0
    expected = list(STAGES[: STAGES.index(stage)])
    if stage == "newcomer":  # the affinity is finished; the sums are asked for by the next
        expected = ["similarity", "taste-similarity", "taste-factors", "affinity", "pair-sums"]
    assert taken(capsys.readouterr().err) == expected
    assert_same_arrays(uninterrupted / "model", tmp_path / "model")


@pytest.mark.parametrize(
    ("options", "still"),
    [
        ((), ["similarity", "taste-similarity", "taste-factors", "affinity", "newcomer"]),
        (("--shrinkage", "7"), ["taste-similarity", "taste-factors", "affinity", "newcomer"]),
        (
            ("--affinity-ridge", "70"),
            ["similarity", "taste-similarity", "taste-factors", "pair-sums", "newcomer"],
        ),
        (("--affinity-lists", "12"), ["similarity", "taste-similarity", "taste-factors"]),
    ],
)
def test_stages_are_made_again_for_what_they_depend_on(
    ratings: Path,
    uninterrupted: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    still: list[str],
) -> None:
    # The stages that another test may find are left as they are.
    shutil.copytree(uninterrupted / "work", tmp_path / "work")
    assert main(command(ratings, tmp_path, *options)) == 0
    assert taken(capsys.readouterr().err) == still
    fresh = ["train", "--quiet", "--ratings", str(ratings), *options]
    assert main([*fresh, "--out", str(tmp_path / "fresh")]) == 0
    assert_same_arrays(tmp_path / "fresh", tmp_path / "model")


def test_other_ratings_take_nothing(
    ratings: Path, uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(uninterrupted / "work", tmp_path / "work")
    pl.read_parquet(ratings)[1:].write_parquet(tmp_path / "fewer.parquet")
    assert main(command(tmp_path / "fewer.parquet", tmp_path)) == 0
    assert taken(capsys.readouterr().err) == []
    assert len(Model.open(tmp_path / "model")) == len(Model.open(uninterrupted / "model"))


@pytest.mark.parametrize("damage", ["cut", "changed", "no index", "missing", "other index"])
def test_what_is_damaged_is_made_again(tmp_path: Path, damage: str) -> None:
    kept = CheckpointStore(tmp_path / "work", "inputs", lambda _: None)
    made = {"values": np.arange(1000.0), "names": np.array([1], np.int8)}
    assert kept.load_or_compute("stage", 1, lambda: made) is made
    place = tmp_path / "work" / "stage"
    file = place / "values.npy"
    data = file.read_bytes()
    if damage == "cut":
        file.write_bytes(data[:-9])
    elif damage == "changed":
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "missing":
        file.unlink()
    elif damage == "no index":
        (place / "stage.json").unlink()
    else:
        (place / "stage.json").write_text("[]")
    again = {"values": np.zeros(3)}
    assert kept.load_or_compute("stage", 1, lambda: again) is again
    found = kept.load_or_compute("stage", 1, lambda: pytest.fail("was kept"))
    np.testing.assert_array_equal(found["values"], again["values"])


def test_a_place_that_cannot_be_written_does_not_stop_a_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    told: list[str] = []
    kept = CheckpointStore(tmp_path / "file" / "work", "inputs", told.append)
    made = {"values": np.zeros(3)}
    assert kept.load_or_compute("stage", 1, lambda: made) is made
    (line,) = told
    assert line.startswith("stage: cannot be kept")
    assert (tmp_path / "file").read_text() == "mine"


def test_long_trainings_keep_stages_beside_the_model_until_it_is_written(
    ratings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_build.train.job.CHECKPOINT_MIN_ENTRIES", 100)
    arguments = ["train", "--quiet", "--ratings", str(ratings), "--out", str(tmp_path / "model")]
    assert_killed(arguments, tmp_path / "log", "affinity", min_entries=100)
    beside = tmp_path / ".model.checkpoints"
    assert {stage.name for stage in beside.iterdir()} == {
        "similarity",
        "taste-similarity",
        "taste-factors",
    }
    assert main(arguments) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
