from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from app.recommender import Model
from app.recommender.engines.als import InteractionStrengths
from demo.fake_upstream import FakeUpstream
from model_build.cli import main
from model_build.engines.base import FittedEngine, add_engine
from tests.shared_folders import made_once
from tests.storage_emulator import StorageEmulator
from tests.tiny_model import tiny_ratings, write_tiny_model

# What is drawn may take as long as a busy machine needs; the rest is as Hypothesis has it here.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Collections of garbage look at what tests make, not at all that was imported."""
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small model with a catalogue (`tests.tiny_model`)."""
    return made_once(tmp_path_factory, "tiny", write_tiny_model) / "model"


@pytest.fixture(scope="session")
def crowded_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with ALS, and the fans that it was fitted to."""

    def make(folder: Path) -> None:
        tiny_ratings().write_parquet(folder / "ratings.parquet")
        told = ("engine", "als", "--model", tiny_model, "--ratings", folder / "ratings.parquet")
        chosen = ("--out", folder / "model", "--factors", "6", "--iterations", "5", "--with-fans")
        assert main(list(map(str, (*told, *chosen)))) == 0

    return made_once(tmp_path_factory, "crowd", make) / "model"


@pytest.fixture(scope="session")
def tiny_model_with_als(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model, with a further engine that was fitted to nothing in particular."""
    out = tmp_path_factory.mktemp("als") / "model"
    n = len(Model.open(tiny_model))
    factor = np.random.default_rng(3).standard_normal((n, 6)).astype(np.float32)
    numbers = {"regularization": 0.1, "alpha": 2.0, **asdict(InteractionStrengths())}
    add_engine(tiny_model, "als", FittedEngine({"item_factors": factor}, numbers), out)
    return out


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    """Every service that lists come from, on this machine."""
    with FakeUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def garbage() -> Iterator[None]:
    """What the tests of a file leave open is found in that file, not in a later one."""
    yield
    gc.collect()


@pytest.fixture
def garbage_of_test() -> Iterator[None]:
    """What a test leaves open is let go in that test."""
    yield
    gc.collect()


@pytest.fixture
def emulator(garbage: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[StorageEmulator]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with StorageEmulator() as emulator:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        emulator.create_bucket("bucket")
        yield emulator
