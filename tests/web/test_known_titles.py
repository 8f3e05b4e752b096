"""Filters on the bundled model, as a fan would try them: with titles that everybody knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.age_rating import AgeRating
from app.settings import AppSettings
from tests.web.html_page import read_html

TASTE = (5114, 9253, 1, 457, 19, 11061)
"""Fullmetal Alchemist, Steins;Gate, Cowboy Bebop, Mushishi, Monster, Hunter x Hunter."""
GUNDAM, EVANGELION, GURREN_LAGANN, CODE_GEASS = 80, 30, 2001, 1575
ONE_PIECE, NARUTO, DEATH_NOTE, ELFEN_LIED = 21, 20, 1535, 226
REDO_OF_HEALER, INTERSPECIES_REVIEWERS, PETER_GRILL = 40750, 40010, 40436
BIBLE_BLACK = 368
TOTORO, KIKI, POKEMON, PRECURE, DORAEMON = 523, 512, 527, 603, 2471


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """The application with the model that comes with it."""
    cache: Path = tmp_path_factory.mktemp("cache")
    return create_app(
        AppSettings(cache_dir=cache, rate_lists="off", rate_pages="off")
    ).test_client()


def answer(client: FlaskClient, listed: tuple[int, ...], **options: Any) -> dict[str, Any]:
    rows = [{"anime_id": n, "score": 9} for n in listed]
    response = client.post("/api/v1/recommendations", json={"list": rows, "top": 100, **options})
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)
    return response.json


def shown(client: FlaskClient, listed: tuple[int, ...], **options: Any) -> set[int]:
    return {item["anime_id"] for item in answer(client, listed, **options)["recommendations"]}


def test_mecha_is_found_and_hidden(known: FlaskClient) -> None:
    mecha = {GUNDAM, EVANGELION, GURREN_LAGANN, CODE_GEASS}
    assert mecha <= shown(known, TASTE, genre=["mecha"])
    assert not mecha & shown(known, TASTE, without=["mecha"])


def test_shounen_are_those_that_everybody_means(known: FlaskClient) -> None:
    assert {ONE_PIECE, NARUTO, DEATH_NOTE} <= shown(known, TASTE, genre=["shounen"])


def test_facts_narrow_to_what_they_say(known: FlaskClient) -> None:
    found = answer(known, TASTE, studio=["kyoto-animation"], material=["light-novel"])
    assert len(found["recommendations"]) > 5
    for item in found["recommendations"]:
        anime = known.get(f"/api/v1/anime/{item['anime_id']}").json
        assert anime is not None
        assert "Kyoto Animation" in anime["studios"]
        assert anime["material"] == "Light Novel"
    winter = answer(known, TASTE, season=["winter"], year_from=2020, year_to=2020)
    assert {item["year"] for item in winter["recommendations"]} == {2020}
    loops = shown(known, TASTE, tag=["time-manipulation"])
    assert len(loops) > 20
    assert not loops & shown(known, TASTE, without_tag=["time-manipulation"])


def test_a_least_score_of_8_is_kept_to(known: FlaskClient) -> None:
    for order in ("match", "discover", "score"):
        found = answer(known, TASTE, min_score=8, order=order)["recommendations"]
        assert found
        assert min(item["expected_score"] for item in found) >= 8


def test_who_asks_for_no_adult_titles_gets_none(known: FlaskClient) -> None:
    adult = {REDO_OF_HEALER, INTERSPECIES_REVIEWERS, PETER_GRILL}
    for anime_id in adult:
        page = known.get(f"/api/v1/anime/{anime_id}").json
        assert page is not None
        assert page["adult"]
    isekai = (29803, 31240, 39535)  # Overlord, Re:Zero, Mushoku Tensei
    assert not adult & shown(known, isekai, genre=["ecchi"])
    assert not adult & shown(known, isekai, genre=["fantasy"])


def test_erotica_from_television_can_be_named_and_hentai_cannot(known: FlaskClient) -> None:
    def found(text: str) -> list[int]:
        answer = known.get("/api/v1/anime", query_string={"search": text}).json
        assert answer is not None
        return [anime["anime_id"] for anime in answer["anime"]]

    assert REDO_OF_HEALER in found("Redo of Healer")
    assert INTERSPECIES_REVIEWERS in found("Ishuzoku Reviewers")
    assert BIBLE_BLACK not in found("Bible Black")


@pytest.mark.parametrize(
    "listed", [(TOTORO,), (TOTORO, KIKI), (POKEMON, PRECURE), (DORAEMON, POKEMON, KIKI)]
)
def test_a_child_gets_nothing_for_who_is_older(known: FlaskClient, listed: tuple[int, ...]) -> None:
    for order in ("match", "discover", "score"):
        body = answer(known, listed, order=order)
        assert body["ceiling"] == {"rating": "pg13", "reason": "childrens_list"}
        assert len(body["recommendations"]) == 100
        levels = {AgeRating(item["age_rating"]).level for item in body["recommendations"]}
        assert max(levels) <= AgeRating.PG13.level
    page = read_html(known.get(f"/anime/{listed[0]}").text)
    beside = {a.attributes.get("href") for a in page.one("main").all("a")}
    assert not beside & {f"/anime/{ELFEN_LIED}", f"/anime/{DEATH_NOTE}"}


def test_a_grown_up_s_list_is_not_taken_for_a_child_s(known: FlaskClient) -> None:
    assert "ceiling" not in answer(known, TASTE)
    assert "ceiling" not in answer(known, (TOTORO, KIKI, DEATH_NOTE))
