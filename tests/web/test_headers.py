from __future__ import annotations

import gzip
import re

import pytest
from flask.testing import FlaskClient

from app.settings import PROJECT_ROOT
from app.web.middleware.compression import MIN_BYTES
from app.web.middleware.headers import SECURITY_HEADERS
from demo.fake_upstream import FakeUpstream
from tests.lists.scenarios import entry
from tests.web.fans import IDS
from tests.web.html_page import read_html

PAGES = [
    "/",
    "/user/anilist/Regular",
    "/user/anilist/Nobody99",
    "/example",
    "/together/example",
    "/problems/bug",
]


@pytest.mark.parametrize("address", [*PAGES, "/readyz", "/api/v1/x", "/static/hakken.css"])
def test_every_answer_is_guarded(client: FlaskClient, address: str) -> None:
    with client.get(address) as response:
        headers = response.headers
    for name, value in SECURITY_HEADERS.items():
        if name != "Cache-Control":
            assert headers[name] == value
    assert "Set-Cookie" not in headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("address", PAGES)
def test_pages_keep_to_the_policy(client: FlaskClient, address: str) -> None:
    text = client.get(address).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    page = read_html(text)
    assert page.one("html").attributes["lang"] == "en"
    assert all(script.attributes["src"].startswith("/static/") for script in page.all("script"))
    pictures = [picture.attributes["src"] for picture in page.all("img")]
    assert all(source.startswith("https://cdn.myanimelist.net/") for source in pictures)
    assert page.one("main").attributes["id"] == "main"
    assert page.one("a", class_="skip").attributes["href"] == "#main"


def test_static_files_are_kept_for_as_long_as_they_are_the_same(client: FlaskClient) -> None:
    page = read_html(client.get("/").text)
    address = page.one("link", rel="stylesheet").attributes["href"]
    assert re.fullmatch(r"/static/hakken\.css\?v=[0-9a-f]{12}", address)
    with client.get(address) as response:
        assert response.status_code == 200
        assert "max-age=31536000" in response.headers["Cache-Control"]


def test_style_and_scripts_are_light() -> None:
    for name, most in (
        ("hakken.css", 9_000),
        ("guide.css", 2_000),
        ("hakken.js", 4_000),
        ("inplace.js", 4_000),
    ):
        assert len(gzip.compress((PROJECT_ROOT / "static" / name).read_bytes())) < most, name


@pytest.mark.parametrize("address", ["/user/anilist/Nothing?n=50", "/together/example?n=50"])
def test_fifty_cards_are_light(client: FlaskClient, anilist: FakeUpstream, address: str) -> None:
    """HTML, style and scripts together, as they are sent."""
    anilist.add_user("Nothing", [entry(n, n, score=8) for n in IDS[:2]])
    packed = {"Accept-Encoding": "gzip"}
    shown = read_html(client.get(address).text)
    assert len(shown.all("li", class_="card")) >= 45
    sizes = [len(client.get(address, headers=packed).data)]
    for tag in (*shown.all("link", rel="stylesheet"), *shown.all("script")):
        place = tag.attributes.get("href") or tag.attributes["src"]
        with client.get(place, headers=packed) as response:
            packing = response.headers.get("Content-Encoding")
            assert packing == "gzip" or len(response.data) < MIN_BYTES, place
            sizes.append(len(response.data))
    assert len(sizes) >= 3
    assert sum(sizes) < 100_000
