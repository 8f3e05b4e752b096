from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.settings import AppSettings
from app.web.middleware.headers import HSTS_VALUE


def calling(settings: AppSettings, **changes: object) -> FlaskClient:
    return create_app(AppSettings(**{**settings.model_dump(), **changes})).test_client()  # type: ignore[arg-type]


def at(client: FlaskClient, host: str, address: str = "/about", **headers: str) -> TestResponse:
    return client.get(address, headers={"Host": host, **headers})


def test_by_default_any_name_will_do(client: FlaskClient) -> None:
    assert at(client, "anything.example").status_code == 200


def test_with_a_public_address_only_its_name_will_do(settings: AppSettings) -> None:
    client = calling(settings, public_url="https://hakken.example/")
    assert at(client, "hakken.example").status_code == 200
    assert at(client, "HAKKEN.example:8000").status_code == 200
    for host in ("evil.example", "hakken.example.evil", "x.hakken.example", "127.0.0.1", "[::1]"):
        refused = at(client, host)
        assert refused.status_code == 400
        assert "not quite" in refused.text or "makes no sense" in refused.text
    assert at(client, "evil.example", "/api/v1/openapi.json").mimetype == "application/problem+json"


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_probes_call_by_any_name(settings: AppSettings, address: str) -> None:
    client = calling(settings, hosts="hakken.example", metrics=True)
    assert at(client, "10.0.0.7:8000", address).status_code == 200


def test_names_can_be_listed(settings: AppSettings) -> None:
    client = calling(settings, public_url="https://a.example", hosts="b.example, .c.example")
    names = ("b.example", "c.example", "x.c.example", "a.example")
    found = [at(client, name).status_code for name in names]
    assert found == [200, 200, 200, 400]
    everything = calling(settings, public_url="https://a.example", hosts="*")
    assert at(everything, "evil.example").status_code == 200


def test_a_forwarded_name_is_not_believed(settings: AppSettings) -> None:
    client = calling(settings, hosts="hakken.example", trusted_proxies=1)
    forged = {"X-Forwarded-Host": "hakken.example"}
    assert at(client, "evil.example", **forged).status_code == 400


def test_https_is_made_to_stay(settings: AppSettings) -> None:
    name = "Strict-Transport-Security"
    forwarded = {"X-Forwarded-Proto": "https"}
    plain = calling(settings)
    assert name not in at(plain, "a.example").headers
    assert name not in at(plain, "a.example", **forwarded).headers
    assert plain.get("/about", base_url="https://a.example").headers[name] == HSTS_VALUE
    behind = calling(settings, trusted_proxies=1)
    assert name not in at(behind, "a.example").headers
    assert at(behind, "a.example", **forwarded).headers[name] == HSTS_VALUE
    public = calling(settings, public_url="https://a.example")
    assert at(public, "a.example").headers[name] == HSTS_VALUE
    with at(public, "a.example", "/static/hakken.css") as response:
        assert response.headers[name] == HSTS_VALUE
