from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.settings import Settings
from demo.upstream import Upstream
from tests.web.fans import add_fans


@pytest.fixture(scope="session")
def anilist() -> Iterator[Upstream]:
    """A local AniList on which the fans of `tests.web.fans` have lists."""
    with Upstream() as fake:
        add_fans(fake)
        yield fake


@pytest.fixture(scope="session")
def settings(
    tiny_model: Path, anilist: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    cache = tmp_path_factory.mktemp("cache")
    return Settings(
        model=str(tiny_model),
        anilist_url=anilist.at("anilist"),
        cache_dir=cache,
        limits=False,
        list_grace=120,  # pages come whole, however slow this machine is
        rate_lists="off",
        rate_pages="off",
    )


@pytest.fixture(scope="session")
def app(settings: Settings) -> Flask:
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def modelless_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An application whose model is not there."""
    return create_app(Settings(model=str(tmp_path_factory.mktemp("nothing"))))


@pytest.fixture
def modelless(modelless_app: Flask) -> FlaskClient:
    return modelless_app.test_client()
