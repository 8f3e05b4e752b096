from __future__ import annotations

from flask.testing import FlaskClient

from app import VERSION
from tests.tiny_model import ANIME, FANS


def test_ready_tells_which_model(client: FlaskClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    body = response.json
    assert body is not None
    assert body["ready"] is True
    assert body["version"] == VERSION
    assert body["model"]
    assert body["created"]
    assert body["counts"]["anime"] == body["counts"]["catalogue"] == ANIME
    assert body["counts"]["fans"] == FANS
    assert body["second_stage"] is False


def test_without_a_model_the_process_is_up_but_not_ready(modelless: FlaskClient) -> None:
    assert modelless.get("/healthz").status_code == 200
    response = modelless.get("/readyz")
    assert response.status_code == 503
    body = response.json
    assert body is not None
    assert body["ready"] is False
    assert "manifest.json" in body["reason"]
    assert "\n" not in body["reason"]
