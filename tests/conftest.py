from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.upstream import Upstream
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
