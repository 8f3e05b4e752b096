from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running
