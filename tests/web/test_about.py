from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.lists.entry import FanList, ListEntry
from app.recommender import Status
from app.web.about import MEASURES, measures, worked
from app.web.state import Hakken, Library
from tests.web.fans import SCORED
from tests.web.test_pages import page

LIST = FanList(
    "test",
    None,
    tuple(ListEntry(n, Status.COMPLETED, float(10 - place % 5)) for place, n in enumerate(SCORED)),
)


@pytest.fixture
def held(app: Flask) -> Library:
    hakken: Hakken = app.extensions["hakken"]
    assert hakken.library is not None
    return hakken.library


def test_the_example_s_sums_are_what_the_api_says(held: Library, client: FlaskClient) -> None:
    found = worked(held, LIST)
    assert found is not None
    rows = [{"anime_id": entry.anime_id, "score": entry.score} for entry in LIST.entries]
    body = client.post("/api/v1/recommendations", json={"list": rows}).json
    assert body is not None
    best = max(body["recommendations"], key=lambda item: item["match"])
    assert found.anime_id == best["anime_id"]
    assert sum(term.value for term in found.match_terms) == pytest.approx(best["match"], abs=1e-5)
    assert [term.value for term in found.match_terms[:-1]] == pytest.approx(
        [why["weight"] for why in best["because"]], abs=1e-5
    )
    assert found.match_terms[
        0
    ].label == f"Anime no. {best['because'][0]['anime_id']}, scored " + str(
        best["because"][0]["score"]
    ).removesuffix(".0")
    total = sum(term.value for term in found.score_terms)
    assert total == pytest.approx(best["predicted_score"], abs=1e-5)
    taste = held.model.taste
    at = int(held.model.anime_id.searchsorted(found.anime_id))
    places = held.model.anime_id.searchsorted(SCORED)
    apart = sum(10 - n % 5 - held.model.mean - taste.item_bias[p] for n, p in enumerate(places))
    wanted = [held.model.mean, taste.item_bias[at], apart / (taste.reg_user + len(SCORED))]
    assert [term.value for term in found.score_terms[:3]] == pytest.approx(wanted)


def test_a_list_of_strangers_gives_no_example(held: Library) -> None:
    assert worked(held, FanList("test", None, (ListEntry(999_999, Status.COMPLETED, 9.0),))) is None


def test_only_what_was_measured_is_told() -> None:
    assert measures({"rmse": 1.0784, "recall@10": 0.567, "coverage": 1199.0, "other": 3.0}) == [
        (MEASURES["rmse"][0], "1.078"),
        (MEASURES["recall@10"][0], "57%"),
        (MEASURES["coverage"][0], "1,199"),
    ]


def test_the_page_says_what_the_model_is(client: FlaskClient, held: Library) -> None:
    about = page(client, "/about")
    manifest = held.model.manifest
    assert manifest.version in about.text
    assert f"{manifest.counts['ratings']:,} scores" in about.text
    assert "Nothing was measured" in about.text
    assert page(client, "/").one("a", href="/about").text == "How it works"
