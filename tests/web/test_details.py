from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from demo.fake_upstream import FakeUpstream
from demo.http_server import FakeResponse
from tests.tiny_model import BARE
from tests.web.fans import IDS
from tests.web.html_page import read_html


def test_details_of_shown_titles(client: FlaskClient, anilist: FakeUpstream) -> None:
    anilist.data.synopses[IDS[0]] = "What it is <b>about</b>."
    before = len(anilist.requests)
    response = client.get(f"/api/v1/details?ids={IDS[0]},{IDS[1]},999999")
    assert response.status_code == 200
    assert json.loads(response.data) == {
        "details": [
            {
                "anime_id": IDS[0],
                "picture": f"https://s4.anilist.co/file/{IDS[0]}.jpg",
                "synopsis": "What it is about.",
                "trailer": f"https://www.youtube.com/watch?v=demo{IDS[0]}",
                "streaming": [
                    {"site": "Crunchyroll", "url": f"https://www.crunchyroll.com/series/{IDS[0]}"},
                    {"site": "Netflix", "url": f"https://www.netflix.com/title/{IDS[0]}"},
                ],
            }
        ],
        "complete": True,
    }
    assert response.headers["Cache-Control"] == "public, max-age=86400"
    # What Hakken does not know itself, nobody is asked for.
    (asked,) = anilist.requests[before:]
    assert asked.body["variables"]["ids"] == sorted([IDS[0], IDS[1]])


@pytest.mark.parametrize("query", ["", "ids=", "ids=a", "ids=0", "ids=1,,2", "ids=1&x=1"])
def test_ids_are_checked(client: FlaskClient, query: str) -> None:
    response = client.get(f"/api/v1/details?{query}")
    assert response.status_code == 400
    assert json.loads(response.data)["type"] == "/problems/bad-query"


def test_not_more_than_a_page(client: FlaskClient) -> None:
    ids = ",".join(str(n) for n in range(1, 102))
    assert client.get(f"/api/v1/details?ids={ids}").status_code == 400


def test_trouble_is_not_kept(client: FlaskClient, anilist: FakeUpstream) -> None:
    anilist.queued_responses["anilist"] = [FakeResponse(403, b"<html></html>")]
    response = client.get(f"/api/v1/details?ids={IDS[5]}")
    assert json.loads(response.data) == {"details": [], "complete": False}
    assert response.headers["Cache-Control"] == "no-store"


def test_a_fetched_picture_is_in_the_page_of_the_next_visitor(
    settings: AppSettings, anilist: FakeUpstream, tmp_path: Path
) -> None:
    bare, results = IDS[BARE], "/user/anilist/Regular?top=50"
    client = create_app(settings.model_copy(update={"cache_dir": tmp_path})).test_client()
    anilist.data.synopses[bare] = "About."
    picture = f"https://s4.anilist.co/file/{bare}.jpg"
    assert picture not in client.get(f"/anime/{bare}").text
    assert picture not in client.get(results).text
    client.get(f"/api/v1/details?ids={bare}")
    asked = len(anilist.requests)
    page = read_html(client.get(f"/anime/{bare}").text)
    (image,) = page.one("article", class_="lone").one("div", class_="poster").all("img")
    assert image.attributes["src"] == picture
    # Room is made for it before it is there, so nothing moves.
    assert (image.attributes["width"], image.attributes["height"]) == ("225", "318")
    assert page.one("meta", property="og:image").attributes["content"] == picture
    cards = read_html(client.get(results).text)
    assert picture in {image.attributes["src"] for image in cards.all("img")}
    assert len(anilist.requests) == asked, "no page waits for a picture"


def test_fetched_links_are_in_the_page_of_the_next_visitor(
    settings: AppSettings, anilist: FakeUpstream, tmp_path: Path
) -> None:
    client = create_app(settings.model_copy(update={"cache_dir": tmp_path})).test_client()
    anime_id = IDS[14]
    anilist.data.synopses[anime_id] = "About."
    assert not read_html(client.get(f"/anime/{anime_id}").text).one("div", class_="watch").all("a")
    client.get(f"/api/v1/details?ids={anime_id}")
    links = read_html(client.get(f"/anime/{anime_id}").text).one("div", class_="watch").all("a")
    assert [link.text for link in links] == ["Trailer", "Crunchyroll", "Netflix"]
    assert {link.attributes["rel"] for link in links} == {"noopener nofollow"}


def test_what_is_known_already_stands_on_the_page(
    client: FlaskClient, anilist: FakeUpstream
) -> None:
    address = f"/anime/{IDS[21]}"
    awaited = read_html(client.get(address).text).one("div", class_="synopsis")
    assert "awaited" in awaited.attributes["class"]
    assert not awaited.all("p")
    anilist.data.synopses[IDS[21]] = "What it is\n\n<i>about</i> & more."
    client.get(f"/api/v1/details?ids={IDS[21]}")
    known = read_html(client.get(address).text).one("div", class_="synopsis")
    assert "awaited" not in known.attributes["class"]
    assert [each.text for each in known.all("p")] == ["What it is", "about & more."]
