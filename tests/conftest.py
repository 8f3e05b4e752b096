from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.upstream import Upstream
from model_build.cli import main
from tests.storage_emulator import StorageEmulator
from tests.tiny_model import tiny_ratings, write_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small model with a catalogue (`tests.tiny_model`)."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def crowded_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with ALS, and the fans that it was fitted to."""
    folder = tmp_path_factory.mktemp("crowd")
    tiny_ratings().write_parquet(folder / "ratings.parquet")
    told = ("engine", "als", "--model", tiny_model, "--ratings", folder / "ratings.parquet")
    chosen = ("--out", folder / "model", "--factors", "6", "--iterations", "5", "--with-fans")
    assert main(list(map(str, (*told, *chosen)))) == 0
    return folder / "model"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Every service that lists come from, on this machine."""
    with Upstream() as running:
        yield running


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[StorageEmulator]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with StorageEmulator() as emulator:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        emulator.create_bucket("bucket")
        yield emulator
    gc.collect()  # what a test leaves open is found in that test, not in a later one
