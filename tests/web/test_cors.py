"""Pages of other origins may ask the API where the operator says so, and nowhere else."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings, SettingsError, load_settings
from tests.web.fans import SCORED

HERE = "https://fans.example"
ADDRESSES = [
    f"/api/v1/anime/{SCORED[0]}",
    "/api/v1/recommendations?source=anilist&username=Regular",
    "/api/v1/recommendations",
    "/api/v1/nothing",
]


def headers_of(client: FlaskClient, address: str, origin: str = HERE) -> dict[str, str]:
    found = client.get(address, headers={"Origin": origin}).headers
    return {name: value for name, value in found if name.startswith("Access-Control-")}


@pytest.fixture(scope="module")
def open_to(settings: AppSettings) -> FlaskClient:
    """An application that two other origins may ask."""
    origins = (HERE, "http://localhost:3000")
    return create_app(settings.model_copy(update={"cors_origins": origins})).test_client()


@pytest.mark.parametrize("address", ADDRESSES)
def test_nobody_may_unless_it_is_said(client: FlaskClient, address: str) -> None:
    assert headers_of(client, address) == {}
    asked = {"Origin": HERE, "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in client.options(address, headers=asked).headers


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_is_named_may_read_answers_and_errors(open_to: FlaskClient, address: str) -> None:
    told = headers_of(open_to, address)
    assert told["Access-Control-Allow-Origin"] == HERE
    assert told["Access-Control-Expose-Headers"] == "ETag, Retry-After, X-Request-ID"
    assert "Access-Control-Allow-Credentials" not in told
    for origin in (HERE, "https://evil.example", None):
        asked = open_to.get(address, headers={"Origin": origin} if origin else {})
        assert asked.vary.find("Origin") >= 0
    for other in ("https://evil.example", f"{HERE}.evil.example", "null"):
        assert headers_of(open_to, address, other) == {}


def test_who_is_named_may_send_a_list(open_to: FlaskClient) -> None:
    asked = {
        "Origin": HERE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    response = open_to.options("/api/v1/recommendations", headers=asked)
    assert response.status_code == 200
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Headers"].casefold() == "content-type"
    assert response.headers["Access-Control-Max-Age"] == "86400"


def test_pages_are_nobody_else_s(open_to: FlaskClient) -> None:
    for address in ("/", "/user/anilist/Regular", "/apiary"):
        assert headers_of(open_to, address) == {}


def test_all_may_if_it_is_said(settings: AppSettings) -> None:
    client = create_app(settings.model_copy(update={"cors_origins": ("*",)})).test_client()
    told = headers_of(client, ADDRESSES[0], "https://anybody.example")
    assert told["Access-Control-Allow-Origin"] == "*"
    assert "Origin" not in client.get(ADDRESSES[0], headers={"Origin": HERE}).vary


def test_origins_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().cors_origins == ()
    monkeypatch.setenv("HAKKEN_CORS_ORIGINS", f"{HERE}, http://localhost:3000,")
    assert load_settings().cors_origins == (HERE, "http://localhost:3000")
    monkeypatch.setenv("HAKKEN_CORS_ORIGINS", "*")
    assert load_settings().cors_origins == ("*",)
    for wrong in (f"{HERE}/", "fans.example", "https://*.example", "null", f"{HERE} {HERE}"):
        monkeypatch.setenv("HAKKEN_CORS_ORIGINS", wrong)
        with pytest.raises(SettingsError, match=r"HAKKEN_CORS_ORIGINS=.* should be an origin"):
            load_settings()
