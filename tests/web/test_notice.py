"""NOTICE names what the bundled model was made from; the about page and model cards repeat it."""

from __future__ import annotations

import json

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


def test_the_card_of_the_bundled_model_is_of_what_is_bundled() -> None:
    manifest = read_manifest(BUNDLED_MODEL_DIR)
    about = (manifest.counts, manifest.hyperparameters, manifest.metrics)
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
