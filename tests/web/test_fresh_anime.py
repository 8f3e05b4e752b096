"""An anime that nobody has on a list is recommended by what is known of it, and says so."""

from __future__ import annotations

import polars as pl
import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from model_build.cli import main
from tests.tiny_model import tiny_catalogue, tiny_ratings
from tests.web.fans import SCORED
from tests.web.html_page import read_html

NEW = 999_999


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A model whose catalogue knows an anime more than its fans do."""
    folder = tmp_path_factory.mktemp("fresh")
    new = {"anime_id": NEW, "title": "Brand New", "type": "TV", "genres": "Drama", "year": 2040}
    catalogue = pl.concat([tiny_catalogue(), pl.DataFrame([new])], how="diagonal_relaxed")
    tiny_ratings().write_parquet(folder / "r.parquet")
    catalogue.write_parquet(folder / "c.parquet")
    command = ["train", "--ratings", str(folder / "r.parquet"), "--quiet"]
    command += ["--catalogue", str(folder / "c.parquet"), "--out", str(folder / "model")]
    command += ["--fresh-since", "2040"]
    assert main(command) == 0
    settings = AppSettings(model=str(folder / "model"), cache_dir=folder / "cache")
    return create_app(settings).test_client()


def test_it_is_recommended_and_said_to_be_new(fresh: FlaskClient) -> None:
    entries = [{"anime_id": anime_id, "score": 9} for anime_id in SCORED]
    options = {"list": entries, "top": 100}
    answer = fresh.post("/api/v1/recommendations", json=options).get_json()
    found = {each["anime_id"]: each for each in answer["recommendations"]}
    assert found[NEW]["few_fans"]
    assert found[NEW]["expected_error"] > max(
        each["expected_error"] for each in found.values() if not each["few_fans"]
    )
    few = [each for each in found.values() if each["few_fans"]]
    assert 0 < len(few) < len(found) / 2
    picks = ".".join(f"{anime_id}-9" for anime_id in SCORED)
    shown = read_html(fresh.get(f"/picks/{picks}?n=100").get_data(as_text=True))
    cards = [card.text for card in shown.all("li", class_="card")]
    assert len([text for text in cards if "Few fans know it yet" in text]) == len(few)
    assert any("Brand New" in text and "Few fans know it yet" in text for text in cards)


def test_its_page_claims_no_scores(fresh: FlaskClient) -> None:
    shown = fresh.get(f"/anime/{NEW}").get_data(as_text=True)
    assert "Few fans know it yet" in shown
    assert "A typical fan gives it" not in shown
    told = fresh.get(f"/api/v1/anime/{NEW}").get_json()["in_model"]
    assert (told["lists"], told["bias"], told["typical_score"]) == (0, None, None)
