"""NOTICE names what the bundled model was made from; the about page and model cards repeat it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.notice import NOTICE, read_sources
from app.recommender.artifact import DatasetInfo, read_manifest
from app.settings import BUNDLED_MODEL_DIR, PROJECT_ROOT
from model_build.artifact.metrics import MODEL_CARD_FILE, render_model_card
from tests.web.html_page import read_html

BUNDLED = json.loads((BUNDLED_MODEL_DIR / "manifest.json").read_text("utf-8"))["dataset"]["name"]


def test_it_is_about_the_bundled_model() -> None:
    found = read_sources(BUNDLED)
    assert [each.heading for each in found] == ["Ratings", "Facts about anime"]
    assert f'name="{BUNDLED}"' in (PROJECT_ROOT / "scripts" / "rebuild_model").read_text("utf-8")
    named = [source for each in found for source in each.sources]
    assert len(named) == NOTICE.read_text("utf-8").count("\n- ")
    assert all(source.name and source.licence for source in named)


def test_of_other_models_it_says_nothing() -> None:
    assert read_sources("ratings") == ()
    assert "## Sources" not in render_model_card(
        "1", DatasetInfo(name="ratings", fingerprint="0"), {}, {}, {}
    )


def test_a_model_card_names_the_sources() -> None:
    card = render_model_card("1", DatasetInfo(name=BUNDLED, fingerprint="0"), {}, {}, {})
    for each in read_sources(BUNDLED):
        for source in each.sources:
            assert f"- {source.name} ({source.licence})\n" in card


def test_a_model_card_says_what_is_so_of_every_model(crowded_model: Path) -> None:
    def card(metrics: dict[str, float], *arrays: str) -> str:
        dataset = DatasetInfo(name="ratings", fingerprint="0")
        told = render_model_card("1", dataset, {}, {}, metrics, arrays)
        return " ".join(told.split())

    measured = card({"pairs": 27310.0, "rmse": 1.04812}, "als_user_centres_embedding.npy")
    assert "| pairs | 27,310 | | rmse | 1.048 |" in measured
    assert "fans left out of a training: of this model, or of one with the same" in measured
    assert "no row of any fan" in measured
    assert "name of an engine" not in measured
    with_fans = card({"mf_loss": 0.5}, "als_training_users_embedding.npy")
    assert "no row of any fan" not in with_fans
    assert "of each fan that an engine was fitted to a nameless vector" in with_fans
    assert "evaluate" not in with_fans
    assert "begin with the name of an engine are of fans that its training" in with_fans
    assert "no row of any fan" not in (crowded_model / MODEL_CARD_FILE).read_text("utf-8")


def test_the_card_of_the_bundled_model_is_of_what_is_bundled() -> None:
    manifest = read_manifest(BUNDLED_MODEL_DIR)
    about = (manifest.counts, manifest.hyperparameters, manifest.metrics, manifest.files)
    card = render_model_card(manifest.version, manifest.dataset, *about)
    assert (BUNDLED_MODEL_DIR / MODEL_CARD_FILE).read_text("utf-8") == card


def test_the_about_page_names_the_sources(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no licence known" not in client.get("/about").text, "the model of the tests is another"
    monkeypatch.setattr("app.web.views.about.read_sources", lambda dataset: read_sources(BUNDLED))
    told = " ".join(read_html(client.get("/about").text).text.split())
    for each in read_sources(BUNDLED):
        assert each.heading in told
        for source in each.sources:
            assert f"{source.name} ({source.licence})" in told
