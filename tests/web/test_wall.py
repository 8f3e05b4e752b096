"""Posters to tap: well known, recent and older in turn, and a list in an address at the end."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.settings import PROJECT_ROOT, AppSettings
from app.web.services.showcase import first_recent_year, known_anime, season_anime
from app.web.state import get_library
from tests.web.fans import IDS
from tests.web.html_page import Element, read_html


@pytest.fixture(scope="module")
def bundled_app(settings: AppSettings) -> Flask:
    return create_app(settings.model_copy(update={"model": str(PROJECT_ROOT / "bundled_model")}))


@pytest.fixture
def bundled(bundled_app: Flask) -> FlaskClient:
    return bundled_app.test_client()


def tapped(page: Element) -> list[int]:
    """The anime of a wall, in its order."""
    (wall,) = page.all("form", class_="wall")
    hearts = [each for each in wall.all("input", type="radio") if each.attributes["value"] == "9"]
    return [int(each.attributes["name"].removeprefix("t")) for each in hearts]


@pytest.mark.parametrize(("address", "count"), [("/", 24), ("/pick", 40)])
def test_a_wall_is_of_known_anime_with_pictures(
    bundled: FlaskClient, bundled_app: Flask, address: str, count: int
) -> None:
    page = read_html(bundled.get(address).text)
    ids = tapped(page)
    assert len(ids) == len(set(ids)) == count
    (wall,) = page.all("form", class_="wall")
    assert len(wall.all("img")) == count
    with bundled_app.app_context():
        library = get_library()
        anime = [library.catalogue.get_anime(n) for n in ids]
        years = [each.year or 0 for each in anime]
        since = first_recent_year(library)
        assert 0.4 <= sum(year >= since for year in years) / count <= 0.6
        assert not any(each.adult for each in anime)
        series = [tuple(library.catalogue.series(n)) or (n,) for n in ids]
        assert len(set(series)) == count, "one a series"


def test_the_season_s_best_known_stand_on_the_home_page(
    bundled: FlaskClient, bundled_app: Flask
) -> None:
    with bundled_app.app_context():
        when, anime = season_anime(get_library())
    assert len(anime) >= 6
    name = f"{when.season.capitalize()} {when.year}"
    assert {f"{(each.season or '').capitalize()} {each.year}" for each in anime} == {name}
    page = read_html(bundled.get("/").text)
    (section,) = page.all("section", **{"aria-labelledby": "season-title"})
    assert section.one("h2").text == name
    shown = [int(tile.attributes["data-anime"]) for tile in section.all("li", class_="tile")]
    assert shown == [each.anime_id for each in anime]


def test_taps_become_picks(bundled: FlaskClient) -> None:
    first, second, third = tapped(read_html(bundled.get("/").text))[:3]
    query = f"?t{first}=9&t{second}=4&x=y&t{third}=11&tx=9&t999999999=9"
    answer = bundled.get(f"/picks{query}&title=english")
    assert answer.status_code == 303
    assert answer.location == f"/picks/{first}-9.{second}-4?title=english"
    page = read_html(bundled.get(answer.location).text)
    assert page.one("h1").text == "Picks for your list"
    further = bundled.get(f"/picks?picks={first}-9&t{third}=7").location
    assert further == f"/picks/{first}-9.{third}-7"
    assert bundled.get("/picks").location == "/pick"
    assert bundled.get("/picks?picks=1-99").status_code == 400


def test_what_was_picked_is_not_on_the_wall(bundled: FlaskClient, bundled_app: Flask) -> None:
    first = tapped(read_html(bundled.get("/pick").text))[0]
    ids = tapped(read_html(bundled.get(f"/pick?picks={first}-9").text))
    with bundled_app.app_context():
        library = get_library()
        series = set(library.catalogue.series(first)) or {first}
        assert not series & set(ids)
        assert [each.anime_id for each in known_anime(library, 40, frozenset({first}))] == ids


def test_without_pictures_there_is_no_wall(client: FlaskClient) -> None:
    home = client.get("/").text
    (wall,) = read_html(home).all("form", class_="wall")
    (known,) = (each for each in wall.all("ul") if "data-known" in each.attributes)
    assert len(known.all("img")) == len(known.all("li"))
    assert client.get(f"/picks?t{IDS[0]}=9").location == f"/picks/{IDS[0]}-9"
