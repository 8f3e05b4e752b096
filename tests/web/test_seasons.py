"""The page of a season: what began then, the best known first, and what of it suits a fan."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.requests.query import Season
from app.web.services.showcase import SeasonOfYear, current_season
from app.web.state import get_library
from tests.tiny_model import EXPLICIT, FLAGGED
from tests.web.fans import IDS
from tests.web.html_page import read_html

SEASONS = list(Season)


def shown(client: FlaskClient, address: str) -> list[int]:
    response = client.get(address)
    assert response.status_code == 200
    (cards,) = read_html(response.text).all("ul", class_="cards")
    return [int(tile.attributes["data-anime"]) for tile in cards.all("li", class_="tile")]


def test_a_season_shows_what_began_then_and_nothing_for_adults(
    client: FlaskClient, app: Flask
) -> None:
    with app.app_context():
        library = get_library()
        catalogue, model = library.catalogue, library.model
        some = next(
            anime
            for n in model.anime_id.tolist()
            if (anime := catalogue.get_anime(n)).season and anime.year
        )
        began = {
            n
            for n in model.anime_id.tolist()
            if (anime := catalogue.get_anime(n)).season == some.season and anime.year == some.year
        } - {IDS[FLAGGED], IDS[EXPLICIT]}
        popularity = dict(zip(model.anime_id.tolist(), model.popularity.tolist(), strict=True))
    found = shown(client, f"/season/{some.year}/{some.season}")
    assert set(found) == began
    assert [popularity[n] for n in found] == sorted((popularity[n] for n in found), reverse=True)
    page = read_html(client.get(f"/season/{some.year}/{some.season}").text)
    (form,) = (each for each in page.all("form") if each.all("input", name="username"))
    hidden = {
        each.attributes["name"]: each.attributes["value"]
        for each in form.all("input", type="hidden")
    }
    asked = client.get(
        "/recommend", query_string={**hidden, "username": "Regular", "source": "anilist"}
    )
    assert asked.location.startswith("/user/anilist/Regular?")
    for part in (f"year_from={some.year}", f"year_to={some.year}", f"season={some.season}"):
        assert part in asked.location


def test_the_season_of_the_data_is_shown_first(client: FlaskClient, app: Flask) -> None:
    with app.app_context():
        when = current_season(get_library())
    page = read_html(client.get("/season").text)
    label = f"{when.season.capitalize()} {when.year}"
    assert page.one("h1").text == label
    assert client.get(f"/season/{when.year}/{when.season}").text.count(label) >= 2


@pytest.mark.parametrize("season", SEASONS)
def test_seasons_follow_one_another(season: Season) -> None:
    when = SeasonOfYear(2020, season)
    assert when.shifted(1).shifted(-1) == when
    assert when.shifted(4) == SeasonOfYear(2021, season)
    place = SEASONS.index(season)
    assert when.shifted(1) == SeasonOfYear(2020 + (place == 3), SEASONS[(place + 1) % 4])


@pytest.mark.parametrize(
    "address", ["/season/2020/autumn", "/season/1/fall", "/season/99999/fall", "/season/x/fall"]
)
def test_there_is_no_such_season(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404
