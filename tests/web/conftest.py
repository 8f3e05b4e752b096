from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from app.translation import ENGLISH, current_language
from demo.fake_upstream import FakeUpstream
from tests.web.fans import add_fans


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    """A request leaves its language behind in the thread, here that of all tests."""
    yield
    current_language.set(ENGLISH)


@pytest.fixture(scope="session")
def anilist() -> Iterator[FakeUpstream]:
    """A local AniList on which the fans of `tests.web.fans` have lists."""
    with FakeUpstream() as fake:
        add_fans(fake)
        yield fake


@pytest.fixture(scope="session")
def settings(
    tiny_model: Path, anilist: FakeUpstream, tmp_path_factory: pytest.TempPathFactory
) -> AppSettings:
    cache = tmp_path_factory.mktemp("cache")
    return AppSettings(
        model=str(tiny_model),
        anilist_url=anilist.base_url("anilist"),
        mal_web_url=anilist.base_url("mal-web"),
        cache_dir=cache,
        limits=False,
        list_grace=120,  # pages come whole, however slow this machine is
        rate_lists="off",
        rate_pages="off",
    )


@pytest.fixture(scope="session")
def app(settings: AppSettings) -> Flask:
    return create_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def modelless_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An application whose model is not there."""
    return create_app(AppSettings(model=str(tmp_path_factory.mktemp("nothing"))))


@pytest.fixture
def modelless(modelless_app: Flask) -> FlaskClient:
    return modelless_app.test_client()
