from __future__ import annotations

from pathlib import Path

import pytest

from tests.model_build.places import BucketForModels, DirectoryForModels, PlaceForModels
from tests.storage_emulator import StorageEmulator


@pytest.fixture
def bucket(emulator: StorageEmulator) -> BucketForModels:
    return BucketForModels(emulator)


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryForModels:
    return DirectoryForModels(tmp_path / "place")


@pytest.fixture(params=["directory", "bucket"])
def place(request: pytest.FixtureRequest) -> PlaceForModels:
    """A directory and a bucket, looked at from outside of what is tested."""
    found: PlaceForModels = request.getfixturevalue(request.param)
    return found
