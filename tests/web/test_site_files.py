"""What search engines and installers ask for."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.state import get_library
from tests.tiny_model import EXPLICIT, FLAGGED
from tests.web.fans import IDS
from tests.web.html_page import read_html

PLACE = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"


def test_crawlers_stay_away_from_lists(client: FlaskClient) -> None:
    answer = client.get("/robots.txt")
    assert answer.mimetype == "text/plain"
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    for address in ("/user/anilist/Regular", "/together/anilist/a/anilist/b", "/picks/1-9"):
        assert not rules.can_fetch("AnyBot", address)
    for address in ("/", "/about", f"/anime/{IDS[0]}", "/pick"):
        assert rules.can_fetch("AnyBot", address)
    assert rules.site_maps() == ["http://localhost/sitemap.xml"]


def test_the_site_map_lists_pages_that_are_there(client: FlaskClient, app: Flask) -> None:
    answer = client.get("/sitemap.xml")
    assert answer.mimetype == "application/xml"
    places = [urlsplit(each.text or "") for each in ElementTree.fromstring(answer.data).iter(PLACE)]
    assert {(each.scheme, each.netloc) for each in places} == {("http", "localhost")}
    paths = [each.path for each in places]
    for path in paths[:6]:
        assert client.get(path).status_code == 200
    ids = {int(path.removeprefix("/anime/")) for path in paths if path.startswith("/anime/")}
    assert not ids & {IDS[FLAGGED], IDS[EXPLICIT]}
    with app.app_context():
        library = get_library()
        assert len(ids) == int(library.shown_mask(adult=False).sum())


def test_it_can_be_installed(client: FlaskClient) -> None:
    home = read_html(client.get("/").text)
    link = home.one("link", rel="manifest").attributes["href"]
    manifest = client.get(link)
    assert manifest.mimetype == "application/manifest+json"
    assert manifest.json is not None
    assert client.get(manifest.json["start_url"]).status_code == 200
    for icon in manifest.json["icons"]:
        with client.get(icon["src"]) as answer:
            assert answer.mimetype == icon["type"]


@pytest.mark.parametrize("address", ["/robots.txt", "/sitemap.xml", "/manifest.webmanifest"])
def test_they_may_be_kept(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert client.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
