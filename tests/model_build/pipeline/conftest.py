from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from model_build.cli import main
from tests.model_build.pipeline.shop import Shop, make_shop


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A build that is finished; tests copy it."""
    shop = make_shop(tmp_path_factory.mktemp("shop") / "built")
    assert main(shop.command()) == 0
    return shop


@pytest.fixture
def shop(built: Shop, tmp_path: Path) -> Shop:
    """The same in another folder."""
    return Shop(shutil.copytree(built.folder, tmp_path / "shop"))
