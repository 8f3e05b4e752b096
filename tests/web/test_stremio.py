"""A fan's picks as an add-on of Stremio: what its protocol asks for, and what players may keep."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from app.web.presenters.stremio import SHELVES
from app.web.state import AppState
from tests.web.fans import SCORED

FAN = "/stremio/anilist/Regular"
CATALOGUES = [(kind, shelf) for kind in ("series", "movie") for shelf in SHELVES]
PLAYER = {"Origin": "https://web.stremio.com"}


def metas(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    response = client.get(f"{FAN}/catalog/{path}.json")
    assert response.status_code == 200
    assert response.json is not None
    found: list[dict[str, Any]] = response.json["metas"]
    return found


@pytest.fixture(scope="module")
def mal_ids(app: Flask) -> dict[str, int]:
    """MyAnimeList's number of every id that a player may be sent."""
    state: AppState = app.extensions["hakken"]
    assert state.library
    numbers = state.library.catalogue.mal_ids_by_site_id("kitsu")
    assert numbers
    return {f"kitsu:{number}": anime_id for number, anime_id in numbers.items()}


def test_the_manifest_has_what_the_protocol_asks_for(client: FlaskClient) -> None:
    manifest = client.get(f"{FAN}/manifest.json").json
    assert manifest is not None
    for name in ("id", "version", "name", "description"):
        assert isinstance(manifest[name], str)
        assert manifest[name]
    assert manifest["resources"] == ["catalog"]
    assert manifest["idPrefixes"] == ["kitsu:"]
    listed = {(each["type"], each["id"]) for each in manifest["catalogs"]}
    assert listed == set(CATALOGUES)
    assert {kind for kind, _ in listed} == set(manifest["types"])
    assert all(each["extra"] == [{"name": "skip"}] for each in manifest["catalogs"])
    other = client.get("/stremio/anilist/NoScores/manifest.json").json
    assert other is not None
    assert other["id"] != manifest["id"], "two fans fit beside one another"


@pytest.mark.parametrize(("kind", "shelf"), CATALOGUES)
def test_every_catalogue_names_unseen_anime_by_kitsu_s_numbers(
    client: FlaskClient, mal_ids: dict[str, int], kind: str, shelf: str
) -> None:
    found = metas(client, f"{kind}/{shelf}")
    assert all(each["type"] == kind and each["name"] for each in found)
    ids = [mal_ids[each["id"]] for each in found]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & set(SCORED)


def test_best_matches_are_those_of_the_api(client: FlaskClient, mal_ids: dict[str, int]) -> None:
    found = metas(client, "series/hakken-match")
    query = {"source": "anilist", "username": "Regular", "top": 100, "type": "tv,ova,ona,special"}
    answer = client.get("/api/v1/recommendations", query_string=query).json
    assert answer is not None
    there = [each for each in answer["recommendations"] if each["kitsu_id"]]
    assert [mal_ids[each["id"]] for each in found] == [each["anime_id"] for each in there]
    assert there[0]["because"][0]["title"] in found[0]["description"]


def test_pages_go_on_where_the_one_before_ended(client: FlaskClient) -> None:
    whole = metas(client, "series/hakken-match")
    assert metas(client, "series/hakken-match/skip=3") == whole[3:]
    assert metas(client, "series/hakken-match/skip=100000") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{FAN}/catalog/series/nothing.json", 404),
        (f"{FAN}/catalog/channel/hakken-match.json", 404),
        (f"{FAN}/catalog/series/hakken-match/skip=-1.json", 404),
        ("/stremio/nowhere/Regular/manifest.json", 404),
        ("/stremio/anilist/Nobody/catalog/series/hakken-match.json", 404),
    ],
)
def test_what_is_not_there_is_told_as_json_that_players_can_read(
    client: FlaskClient, path: str, status: int
) -> None:
    response = client.get(path, headers=PLAYER)
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.json
    assert response.json["detail"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_players_may_read_and_keep_it_and_nobody_between(client: FlaskClient) -> None:
    for path in ("manifest.json", "catalog/movie/hakken-gems.json"):
        first = client.get(f"{FAN}/{path}", headers=PLAYER)
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in first.headers
        assert first.headers["Cache-Control"].startswith("private, max-age=")
        again = client.get(f"{FAN}/{path}", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    assert "Access-Control-Allow-Origin" not in client.get("/", headers=PLAYER).headers


def test_it_costs_what_the_page_of_picks_costs(settings: AppSettings) -> None:
    limits = {"rate_lists": "2/minute", "rate_pages": "100/minute"}
    client = create_app(settings.model_copy(update=limits)).test_client()
    path = f"{FAN}/catalog/series/hakken-match.json"
    assert [client.get(path).status_code for _ in range(2)] == [200, 200]
    assert client.get("/user/anilist/Regular").status_code == 429
    assert client.get(path, headers=PLAYER).headers["Access-Control-Allow-Origin"] == "*"
    assert client.get(f"{FAN}/manifest.json").status_code == 200


def test_the_page_of_picks_leads_to_it(client: FlaskClient) -> None:
    address = f'href="stremio://localhost{FAN}/manifest.json"'
    assert address in client.get("/user/anilist/Regular").text
    assert "stremio://" not in client.get("/example").text
