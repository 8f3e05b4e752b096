from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lists.fake_anilist import FakeAniList


@pytest.fixture
def fake_anilist() -> Iterator[FakeAniList]:
    with FakeAniList() as fake:
        yield fake
