"""What search engines and installers ask for."""

from __future__ import annotations

import json
import re
import struct
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
    icons = manifest.json["icons"]
    for icon in icons:
        with client.get(icon["src"]) as answer:
            assert answer.mimetype == icon["type"]
            if icon["type"] == "image/png":
                width, height = struct.unpack(">II", answer.data[16:24])
                assert icon["sizes"] == f"{width}x{height}"
    found = {(each["sizes"], each["purpose"]) for each in icons if each["type"] == "image/png"}
    assert found == {(f"{n}x{n}", kind) for n in (192, 512) for kind in ("any", "maskable")}


def test_the_service_worker_keeps_the_files_of_this_release(
    client: FlaskClient, app: Flask
) -> None:
    worker = client.get("/worker.js")
    assert worker.mimetype == "text/javascript"
    assert worker.headers["Cache-Control"] == "no-cache"
    (line,) = re.findall(r"^const FILES = (.*);$", worker.text, re.M)
    files = json.loads(line)
    for address in ("/", "/user/anilist/Regular", "/pick", "/offline"):
        page = read_html(client.get(address).text)
        used = {each.attributes["src"] for each in page.all("script")}
        used |= {each.attributes["href"] for each in page.all("link", rel="stylesheet")}
        assert used <= set(files), address
    for address in files:
        with client.get(address) as answer:
            assert answer.status_code == 200
    again = client.get("/worker.js", headers={"If-None-Match": worker.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("address", ["/robots.txt", "/sitemap.xml", "/manifest.webmanifest"])
def test_they_may_be_kept(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert client.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
