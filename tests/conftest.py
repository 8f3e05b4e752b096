from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.upstream import Upstream
from tests.storage_emulator import StorageEmulator
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small model with a catalogue (`tests.tiny_model`)."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


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
