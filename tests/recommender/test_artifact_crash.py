"""Writing a model is all or nothing, whatever happens on the way."""

from __future__ import annotations

import errno
import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.recommender import ArtifactError, Model
from app.recommender import atomic_writes as replacing
from app.recommender.artifact import DatasetInfo, open_artifact, write_artifact
from model_build.cli import main
from model_build.train.serving_parameters import default_parameters
from tests.model_build.artifact.publisher import kill_at_call, start
from tests.model_build.worlds import random_frame, train_model


@pytest.fixture(scope="session")
def fsyncs(model: Model) -> int:
    """How many `train` calls: one for each file, the directory, and the one that holds it."""
    return len(list(model.catalogue_path.parent.iterdir())) + 2


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "new.parquet"
    random_frame(4, 30, 20, 0.4).write_parquet(path)
    return path


@pytest.fixture
def old(tmp_path: Path) -> Model:
    """A model that stands at the place to be written."""
    return train_model(random_frame(3, 30, 20, 0.4), tmp_path / "place")


def train_killed(
    ratings: Path, out: Path, call: str, number: int, *, exchange: bool = True
) -> None:
    log = ratings.with_name("log")
    process = start(
        ["train", "--quiet", "--ratings", str(ratings), "--out", str(out)],
        log,
        first=partial(kill_at_call, call, number, exchange=exchange),
    )
    process.join()
    assert process.exitcode == -signal.SIGKILL, log.read_text("utf-8")


def version_in(folder: Path) -> str:
    return Model.open(folder).version


def write_small(path: Path, version: str, *arrays: str) -> None:
    """A model that only its writer could love."""
    write_artifact(
        path,
        version=version,
        created="2026-01-01T00:00:00Z",
        dataset=DatasetInfo(name="test", fingerprint="0"),
        counts={},
        hyperparameters={},
        serving_parameters=default_parameters(),
        metrics={},
        arrays={name: np.arange(3.0) for name in arrays},
        catalogue=b"titles",
    )


def fail_at(number: int, error: BaseException) -> Callable[[int], None]:
    calls = 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise error

    return fsync


@pytest.mark.parametrize(("call", "number"), [("os.fsync", 1), ("os.fsync", -1), ("os.rename", 1)])
def test_killed_while_writing_leaves_nothing_that_opens(
    tmp_path: Path, ratings: Path, fsyncs: int, call: str, number: int
) -> None:
    out = tmp_path / "models" / "model"
    train_killed(ratings, out, call, number if number > 0 else fsyncs + number)
    with pytest.raises(ArtifactError):
        Model.open(out)
    assert not out.exists()
    assert list(out.parent.iterdir()) != []
    # And the next one clears away what was left behind.
    assert main(["train", "--quiet", "--ratings", str(ratings), "--out", str(out)]) == 0
    Model.open(out)
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize(
    ("call", "number", "replaced"),
    [
        ("os.fsync", 1, False),
        ("os.fsync", -1, False),
        ("app.recommender.atomic_writes.exchange_paths", 1, False),
        ("os.fsync", 0, True),
        ("shutil.rmtree", 1, True),
    ],
)
def test_killed_while_replacing_leaves_one_of_the_two(
    ratings: Path, old: Model, fsyncs: int, call: str, number: int, replaced: bool
) -> None:
    out = old.catalogue_path.parent
    train_killed(ratings, out, call, number if number > 0 else fsyncs + number)
    assert (version_in(out) != old.version) is replaced
    assert main(["train", "--quiet", "--ratings", str(ratings), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.parent.iterdir()) == ["model", "ratings.parquet"]


def test_killed_between_the_two_renames_loses_no_model(ratings: Path, old: Model) -> None:
    """Where names cannot be exchanged nothing may be in place then, but both models are whole."""
    out = old.catalogue_path.parent
    train_killed(ratings, out, "os.rename", 2, exchange=False)
    assert not out.exists()
    versions = {version_in(manifest.parent) for manifest in out.parent.glob("**/manifest.json")}
    assert old.version in versions
    assert len(versions) == 2


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_two_renames_where_names_cannot_be_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    out, real = tmp_path / "model", os.rename
    write_small(out, "one", "a")

    def rename(source: Path, target: Path) -> None:
        if error and target == out and source.name == "model":
            raise error
        real(source, target)

    monkeypatch.setattr(replacing, "exchange_paths", lambda one, other: False)
    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(KeyboardInterrupt) if error else nullcontext():
        write_small(out, "two", "b")
    assert open_artifact(out).manifest.version == ("one" if error else "two")
    assert list(tmp_path.iterdir()) == [out]


def test_whoever_looks_finds_a_model_at_every_instant(tmp_path: Path) -> None:
    for name in ("this", "that"):
        (tmp_path / name).mkdir()
    if not replacing.exchange_paths(tmp_path / "this", tmp_path / "that"):
        pytest.skip("names cannot be exchanged in one step here")
    out = tmp_path / "model"
    write_small(out, "0", "a")
    looks, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            looks.append(out.exists())

    watcher = threading.Thread(target=look)
    watcher.start()
    number = 0
    while number < 200 or len(looks) <= 200:
        number += 1
        write_small(out, str(number), "a")
    done.set()
    watcher.join()
    assert all(looks)
    assert open_artifact(out).manifest.version == str(number)


def test_a_model_in_place_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, real = tmp_path / "model", os.fsync
    synced: list[tuple[int, bool]] = []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, out.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_small(out, "v1", "a", "b")
    before = {number for number, in_place in synced if not in_place}
    after = {number for number, in_place in synced if in_place}
    assert before == {path.stat().st_ino for path in (out, *out.iterdir())}
    assert after == {tmp_path.stat().st_ino}


def test_what_killed_writers_left_is_cleared_unless_one_is_still_writing(tmp_path: Path) -> None:
    out = tmp_path / "model"
    left, other = tmp_path / ".model.partial-dead", tmp_path / ".other.partial-dead"
    for place in (left, other):
        (place / "model").mkdir(parents=True)
        (place / "model" / "a.npy").touch()
    with replacing.replace_directory(out) as first:
        (first / "mine").touch()
        write_small(out, "second", "a")  # a second writer, done before the first
        assert left.exists()
        assert (first / "mine").exists()
        assert open_artifact(out).manifest.version == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "model"]
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_a_link_is_replaced_and_what_it_points_at_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    write_small(real, "one", "a")
    link.symlink_to(real)
    write_small(link, "two", "a")
    assert open_artifact(link).manifest.version == "two"
    assert open_artifact(real).manifest.version == "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


@pytest.mark.parametrize("number", [1, 3, 9, -1])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_an_error_while_writing_leaves_no_trace(
    tmp_path: Path,
    ratings: Path,
    old: Model,
    monkeypatch: pytest.MonkeyPatch,
    fsyncs: int,
    number: int,
    error: BaseException,
) -> None:
    number = number if number > 0 else fsyncs + number
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
