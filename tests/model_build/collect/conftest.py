from __future__ import annotations

from pathlib import Path

import pytest

from demo.fake_upstream import FakeUpstream
from tests.model_build.collect.crowds import Collector


@pytest.fixture
def collect(upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """``collect kitsu`` from the upstream; its world gets a crowd in each test."""
    for name, value in upstream.environment().items():
        monkeypatch.setenv(name, value)
    return Collector(upstream, tmp_path / "kitsu")
