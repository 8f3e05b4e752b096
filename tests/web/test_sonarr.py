"""A fan's picks as a custom list of Sonarr, which knows series by TVDB's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from tests.tiny_model import anime_ids, tiny_catalogue, tvdb_id_of, write_tiny_model
from tests.web.html_page import read_html

LIST = "/sonarr/anilist/Regular.json"
TVDB_IDS = {anime_id: tvdb_id_of(place) for place, anime_id in enumerate(anime_ids())}


def series(client: FlaskClient, **options: object) -> list[dict[str, Any]]:
    response = client.get(LIST, query_string=options)
    assert response.status_code == 200
    found = response.json
    assert isinstance(found, list)
    return found


def test_it_is_what_sonarr_reads_each_series_once(client: FlaskClient) -> None:
    found = series(client, top=100)
    assert found
    for each in found:
        assert set(each) == {"title", "tvdbId"}
        assert isinstance(each["title"], str)
        assert isinstance(each["tvdbId"], int)
    numbers = [each["tvdbId"] for each in found]
    assert len(set(numbers)) == len(numbers)


def test_series_stand_in_the_order_of_the_picks(client: FlaskClient) -> None:
    query = {"source": "anilist", "username": "Regular", "top": 100, "type": "tv,ova,ona"}
    answer = client.get("/api/v1/recommendations", query_string=query).json
    assert answer is not None
    picks = answer["recommendations"]
    assert [each["tvdb_id"] for each in picks] == [TVDB_IDS[each["anime_id"]] for each in picks]
    best: dict[int, str] = {}
    for each in picks:
        if each["tvdb_id"]:
            best.setdefault(each["tvdb_id"], each["title"])
    assert [(each["tvdbId"], each["title"]) for each in series(client, top=100)] == list(
        best.items()
    )
    assert len(best) < len([each for each in picks if each["tvdb_id"]]), "seasons share a number"


def test_the_options_of_the_api_narrow_it(client: FlaskClient) -> None:
    few = series(client, top=3)
    assert few == series(client, top=100)[: len(few)]
    assert 0 < len(few) <= 3
    films = series(client, top=100, type="movie")
    assert films != series(client, top=100)
    named = series(client, top=3, title="english")
    assert [each["tvdbId"] for each in named] == [each["tvdbId"] for each in few]
    assert named != few


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/sonarr/nowhere/Regular.json", 404, "misspelt"),
        ("/sonarr/anilist/Nobody.json", 404, "no user called Nobody"),
        ("/sonarr/anilist/PrivateFan.json", 403, "is private"),
        (f"{LIST}?top=0", 400, "top"),
        (f"{LIST}?colour=red", 400, "colour"),
        ("/sonarr/anilist/Regular", 404, "misspelt"),
    ],
)
def test_what_is_wrong_is_told_as_json(
    client: FlaskClient, path: str, status: int, said: str
) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.json
    assert said in response.json["detail"]


def test_without_numbers_of_tvdb_that_is_one_sentence(
    settings: AppSettings, tmp_path: Path
) -> None:
    model = write_tiny_model(tmp_path, tiny_catalogue().drop("tvdb_id"))
    client = create_app(settings.model_copy(update={"model": str(model)})).test_client()
    response = client.get(LIST)
    assert response.status_code == 501
    assert response.json
    assert response.json["type"] == "/problems/no-tvdb-ids"
    assert "no numbers of TVDB" in response.json["detail"]
    assert LIST not in client.get("/user/anilist/Regular").text
    about = client.get(f"/api/v1/anime/{anime_ids()[0]}").json
    assert about is not None
    assert about["tvdb_id"] is None


def test_it_may_be_kept_by_who_asks_and_costs_what_picks_cost(
    client: FlaskClient, settings: AppSettings
) -> None:
    first = client.get(LIST)
    assert first.headers["Cache-Control"].startswith("private, max-age=")
    again = client.get(LIST, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert "Access-Control-Allow-Origin" not in first.headers
    limited = create_app(settings.model_copy(update={"rate_lists": "1/minute"})).test_client()
    assert [limited.get(LIST).status_code for _ in range(2)] == [200, 429]


def test_the_page_of_picks_leads_to_it(client: FlaskClient) -> None:
    shown = read_html(client.get("/user/anilist/Regular").text.removeprefix("<!doctype html>"))
    (link,) = shown.all("a", href=LIST)
    assert link.text == "List for Sonarr"
    assert "/sonarr/" not in client.get("/example").text
