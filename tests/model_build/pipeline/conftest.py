from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from model_build.cli import main
from tests.model_build.pipeline.shop import Shop, make_shop
from tests.shared_folders import made_once


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A build that is finished; tests copy it."""

    def make(folder: Path) -> None:
        assert main(make_shop(folder).command()) == 0

    return Shop(made_once(tmp_path_factory, "shop", make))


@pytest.fixture
def shop(built: Shop, tmp_path: Path) -> Shop:
    """The same in another folder."""
    return Shop(shutil.copytree(built.folder, tmp_path / "shop"))
