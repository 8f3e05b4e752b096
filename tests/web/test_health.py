from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import VERSION, create_app
from app.settings import AppSettings
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


@pytest.mark.parametrize("kind", ["missing", "damaged", "no version", "no place", "relative"])
def test_strangers_are_not_told_where_the_model_is(
    kind: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "our models" / "secret"
    if kind == "damaged":
        shutil.copytree(tiny_model, model)
        array = model / "item_bias.npy"
        array.write_bytes(array.read_bytes()[:-1] + b"?")
    elif kind == "no version":
        model.mkdir(parents=True)
        (model / "latest").write_text("v1")
    given = {"no place": f"ftp://{model}", "relative": "our models/secret"}.get(kind, str(model))
    settings = AppSettings(model=given, cache_dir=tmp_path / "cache")
    response = create_app(settings).test_client().get("/readyz")
    assert response.status_code == 503
    assert response.json
    for told in (response.json["reason"], response.json["fault"]):
        assert len(told) > 20
        assert "secret" not in told
        assert "our models" not in told
        assert str(tmp_path) not in told
        assert kind != "damaged" or told.startswith("item_bias.npy: sha256 is")
