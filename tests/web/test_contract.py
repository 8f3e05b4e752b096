"""The API against its own description: whatever that allows, and much that it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error

from app import create_app
from app.settings import AppSettings
from demo.fake_upstream import FakeUpstream
from tests.lists import scenarios
from tests.web.fans import add_fans

# Schemathesis itself draws from the random module in strategies of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

RECOMMENDATIONS = "/api/v1/recommendations"
OPERATIONS = (
    ("POST", RECOMMENDATIONS),
    ("GET", "/api/v1/anime"),
    ("GET", "/api/v1/anime/{anime_id}"),
    ("GET", "/api/v1/anime/{anime_id}/similar"),
    ("GET", "/api/v1/details"),
)
FANS = ("Regular", "NoScores", "Nobody99", scenarios.PRIVATE, scenarios.RATE_LIMITED)
PLAIN = {"Accept-Encoding": "identity"}
RANGES = (("year_from", "year_to"), ("min_episodes", "max_episodes"))


@pytest.fixture(scope="module")
def api(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Flask, BaseSchema]]:
    """An application with every source there is, and what it says of itself."""
    with FakeUpstream() as upstream:
        add_fans(upstream)
        app = create_app(
            AppSettings(
                model=str(tiny_model),
                cache_dir=tmp_path_factory.mktemp("cache"),
                limits=False,
                rate_lists="off",
                rate_pages="off",
                mal_client_id="key",
                mal_url=upstream.base_url("mal"),
                anilist_url=upstream.base_url("anilist"),
                kitsu_url=upstream.base_url("kitsu"),
                jikan_url=upstream.base_url("jikan"),
                shikimori_url=upstream.base_url("shikimori"),
            )
        )
        yield app, schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)


def try_out(operation: Any, examples: int, mode: GenerationMode, **fixed: Any) -> None:
    """Send what the description allows (or, in the other mode, forbids), and judge the answers."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def check(case: Case) -> None:
        # A description cannot say that one number is not to be above another.
        for sent in (case.query or {}, case.body if isinstance(case.body, dict) else {}):
            assume(not any(_above(sent.get(a), sent.get(b)) for a, b in RANGES))
        # In an address, empty and repeated values are left out, as forms send them.
        assume(not any(_left_out(value) for value in (case.query or {}).values()))
        # A site that is down is no fault of ours, but a bug is.
        response = case.call_and_validate(headers=PLAIN, excluded_checks=[not_a_server_error])
        assert response.status_code != 500

    check()


def _left_out(value: Any) -> bool:
    parts = value.split(",") if isinstance(value, str) else value
    return isinstance(parts, list) and ("" in parts or len(set(map(str, parts))) < len(parts))


def _above(least: Any, most: Any) -> bool:
    numbers = (int | float, int | float)
    return all(map(isinstance, (least, most), numbers)) and least > most


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_api_does_what_it_says(
    api: tuple[Flask, BaseSchema], method: str, path: str, mode: GenerationMode
) -> None:
    try_out(api[1][path][method], 40, mode)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("name", FANS)
def test_recommendations_for_a_fan_are_what_the_api_says(
    api: tuple[Flask, BaseSchema], name: str, mode: GenerationMode
) -> None:
    fixed = {"username": name, **({"source": "anilist"} if mode is GenerationMode.NEGATIVE else {})}
    try_out(api[1][RECOMMENDATIONS]["GET"], 10, mode, query=fixed)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("name", FANS)
def test_what_two_fans_would_enjoy_is_what_the_api_says(
    api: tuple[Flask, BaseSchema], name: str, mode: GenerationMode
) -> None:
    fixed = {"source": "anilist", "username": "FewScores", "with_source": "kitsu"}
    query = {**fixed, "with_username": name}
    try_out(api[1]["/api/v1/together"]["GET"], 10, mode, query=query)


def test_the_description_is_valid(api: tuple[Flask, BaseSchema]) -> None:
    api[1].validate()
    response = api[1]["/api/v1/openapi.json"]["GET"].Case().call_and_validate(headers=PLAIN)
    assert response.json()["openapi"].startswith("3.1")
