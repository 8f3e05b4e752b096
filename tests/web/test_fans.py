"""Fans like a fan, in the API and on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from demo.fake_upstream import FakeUpstream
from tests.tiny_model import FLAGGED, SOURCES, TYPES, anime_ids
from tests.web.fans import SCORED
from tests.web.html_page import read_html

API = "/api/v1/fans?source=anilist&username=Regular"
PAGE = "/fans/anilist/Regular"


@pytest.fixture(scope="module")
def crowded(
    crowded_model: Path, anilist: FakeUpstream, tmp_path_factory: pytest.TempPathFactory
) -> FlaskClient:
    """An application whose model has ALS and its fans."""
    anilist.add_user("Empty", [])
    settings = AppSettings(
        model=str(crowded_model),
        anilist_url=anilist.base_url("anilist"),
        cache_dir=tmp_path_factory.mktemp("cache"),
        limits=False,
        list_grace=120,
        rate_lists="off",
        rate_pages="off",
    )
    return create_app(settings).test_client()


def found(client: FlaskClient, address: str) -> dict[str, Any]:
    response = client.get(address)
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)
    return response.json


def test_fans_and_what_they_loved(crowded: FlaskClient) -> None:
    body = found(crowded, f"{API}&top=7")
    assert (body["engine"], body["nearest"]) == ("als", 50)
    assert 0 < body["fans"][-1]["likeness"] <= body["fans"][0]["likeness"] <= 1.001
    told = body["recommendations"]
    assert [item["rank"] for item in told] == list(range(1, 8))
    assert not {item["anime_id"] for item in told} & set(SCORED)
    assert anime_ids()[FLAGGED] not in {item["anime_id"] for item in told}
    assert all(1 <= item["lovers"] <= 50 for item in told)
    assert all(each["share"] > each["usual"] for each in body["genres"])
    assert {each["name"] for each in body["sources"]} == set(SOURCES)


def test_filters(crowded: FlaskClient) -> None:
    wanted = TYPES[1]
    body = found(crowded, f"{API}&type={wanted.lower()}&genre=drama&top=50")
    assert body["recommendations"]
    for item in body["recommendations"]:
        assert item["type"].upper() == wanted
        assert "Drama" in item["genres"]


def test_a_least_score_holds_for_what_they_loved(crowded: FlaskClient) -> None:
    query = "source=anilist&username=Regular&top=100"
    answer = found(crowded, f"/api/v1/recommendations?{query}")
    scores = {item["anime_id"]: item["predicted_score"] for item in answer["recommendations"]}
    loved = {item["anime_id"] for item in found(crowded, f"{API}&top=100")["recommendations"]}
    least = round(sorted(scores[n] for n in loved)[len(loved) // 2], 2)
    kept = found(crowded, f"{API}&top=100&min_score={least}")["recommendations"]
    assert {item["anime_id"] for item in kept} == {n for n in loved if scores[n] >= least}


def test_what_they_prefer_ranks_and_filters(crowded: FlaskClient) -> None:
    plain = {each["anime_id"]: each for each in found(crowded, f"{API}&top=100")["recommendations"]}
    for prefer in ("genres", "sources", "genres,sources"):
        told = found(crowded, f"{API}&top=100&prefer={prefer}")["recommendations"]
        assert 0 < len(told) < len(plain)
        for each in told:
            assert 1 <= each["preference"] <= 4
            weight = plain[each["anime_id"]]["weight"] * each["preference"]
            assert each["weight"] == pytest.approx(weight, abs=1e-4)
        assert [each["weight"] for each in told] == sorted(
            (each["weight"] for each in told), reverse=True
        )
    assert crowded.get(f"{API}&prefer=studios").status_code == 400
    assert crowded.get(f"{API.replace('fans', 'recommendations')}&prefer=genres").status_code == 400


def test_the_page_can_be_steered_and_stays_so(crowded: FlaskClient) -> None:
    page = read_html(crowded.get(PAGE).text)
    switch = page.one("span", **{"aria-label": "Rank by what they prefer"}).all("a")[0]
    address = switch.attributes["href"] or ""
    assert address == f"{PAGE}?prefer=genres"
    steered = crowded.get(address).text
    body = found(crowded, f"{API}&prefer=genres")
    links = [
        row.one("a").attributes["href"]
        for row in read_html(steered).one("section", **{"aria-labelledby": "loved"}).all("li")
    ]
    assert links == [f"/anime/{each['anime_id']}" for each in body["recommendations"]]
    for each in body["recommendations"]:
        weighed = f"{each['lovers']} of {body['nearest']} × {each['preference']:.2f}"
        assert weighed in read_html(steered).one("section", **{"aria-labelledby": "loved"}).text
    assert 'name="prefer" value="genres"' in steered  # the filters' form carries it
    assert f'href="{PAGE}?prefer=genres,sources"' in steered.replace("%2C", ",")
    assert "prefer" not in read_html(steered).one("a", **{"class": "top-link"}).attributes["href"]


def test_the_page_says_the_same(crowded: FlaskClient) -> None:
    body = found(crowded, API)
    shown = read_html(crowded.get(PAGE).text)
    links = [
        row.one("a").attributes["href"]
        for row in shown.one("section", **{"aria-labelledby": "loved"}).all("li")
    ]
    assert links == [f"/anime/{item['anime_id']}" for item in body["recommendations"]]
    assert PAGE in crowded.get("/user/anilist/Regular").text
    nothing = crowded.get(f"{PAGE}?year_from=2099")
    assert nothing.status_code == 200
    assert "Nothing passes" in nothing.text
    assert "says too little" in crowded.get("/fans/anilist/Empty").text


def test_files(crowded: FlaskClient) -> None:
    assert found(crowded, f"{PAGE}?format=json")["recommendations"]
    rows = crowded.get(f"{PAGE}?format=csv").text.splitlines()
    assert rows[0].lstrip("\ufeff").startswith("rank,")
    assert len(rows) == 21


def test_without_fans_there_is_no_page(client: FlaskClient) -> None:
    assert client.get(PAGE).status_code == 404
    refused = client.get(API)
    assert refused.status_code == 400
    assert "keeps no fans" in refused.json["detail"]  # type: ignore[index]
    assert PAGE not in client.get("/user/anilist/Regular").text


def test_an_engine_that_is_not_there_is_refused(crowded: FlaskClient) -> None:
    for address in (f"{API}&engine=nosuch", "/user/anilist/Regular?engine=nosuch"):
        assert crowded.get(address).status_code == 400


def test_anime_near_an_anime(crowded: FlaskClient, client: FlaskClient) -> None:
    anime_id = anime_ids()[10]
    body = found(crowded, f"/api/v1/anime/{anime_id}/similar?top=5")
    near = body["engines"]["als"]
    assert len(near) == 5
    weights = [each["weight"] for each in near]
    assert weights == sorted(weights, reverse=True)
    assert "Close to it (ALS)" in crowded.get(f"/anime/{anime_id}").text
    films = found(crowded, f"/api/v1/anime/{anime_id}/similar?type=movie&top=50")
    for rows in (films["affinity"], films["engines"]["als"], films["also_loved"]):
        assert rows
        assert {each["type"] for each in rows} == {"Movie"}
    assert found(client, f"/api/v1/anime/{anime_id}/similar")["engines"] == {}
