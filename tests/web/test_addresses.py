"""Addresses on pages: of names with marks of their own, below a root, of other pages."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.settings import AppSettings
from app.web.addresses import current_address
from tests.tiny_model import title_of
from tests.web.fans import SCORED
from tests.web.html_page import read_html


@pytest.mark.parametrize("root", ["", "/hakken"])
@pytest.mark.parametrize(
    "asked", ["/", "/user/kitsu/a%23b", "/user/kitsu/what%3F?n=5&lang=ja", "/user/kitsu/50%2525"]
)
def test_a_page_leads_to_itself(app: Flask, root: str, asked: str) -> None:
    with app.test_request_context(asked, environ_overrides={"SCRIPT_NAME": root}):
        assert current_address() == root + asked


def test_below_a_root_addresses_have_it_once(client: FlaskClient) -> None:
    text = client.get("/example", environ_overrides={"SCRIPT_NAME": "/hakken"}).text
    assert 'content="http://localhost/hakken/example' in text
    assert "/hakken/hakken" not in text
    sitemap = client.get("/sitemap.xml", environ_overrides={"SCRIPT_NAME": "/hakken"}).text
    assert "<loc>http://localhost/hakken/example</loc>" in sitemap


@pytest.mark.parametrize(
    ("public", "root", "base"),
    [
        (None, "", "http://localhost"),
        (None, "/hakken", "http://localhost/hakken"),
        ("https://x.example/hakken", "/hakken", "https://x.example/hakken"),
        ("https://x.example", "/hakken", "https://x.example/hakken"),
        ("https://x.example:8443/hakken/", "", "https://x.example:8443/hakken"),  # is taken off
    ],
)
def test_absolute_addresses_begin_with_where_visitors_find_hakken(
    settings: AppSettings, public: str | None, root: str, base: str
) -> None:
    signing_in = dict.fromkeys(("anilist_client_id", "anilist_client_secret", "cookie_secret"), "x")
    own = {"public_url": AppSettings(public_url=public).public_url, "hosts": "*", **signing_in}  # type: ignore[arg-type]
    client = create_app(settings.model_copy(update=own)).test_client()

    def get(address: str) -> TestResponse:
        return client.get(address, environ_overrides={"SCRIPT_NAME": root})

    page = read_html(get("/example").text)
    assert page.one("meta", property="og:url").attributes["content"] == f"{base}/example"
    assert f'<link href="{base}/example"/>' in get("/example?format=atom").text
    assert f"<loc>{base}/example</loc>" in get("/sitemap.xml").text
    assert f"curl &#39;{base}/api/v1/recommendations?" in get("/api").text
    (server,) = (get("/api/v1/openapi.json").json or {})["servers"]
    assert server["url"] == (base if public else root or "/")
    if public:
        asked = parse_qs(urlsplit(get("/oauth/anilist").location).query)
        assert asked["redirect_uri"] == [f"{base}/oauth/anilist/callback"]


def test_what_takes_a_filter_off_a_surprise_says_nothing_of_how_it_is_drawn(
    client: FlaskClient,
) -> None:
    page = read_html(client.get("/example?surprise=7&type=tv").text)
    (chip,) = [each for each in page.all("a") if "(remove this filter)" in each.text]
    assert chip.attributes["href"] == "/example?surprise=7"


def test_more_leads_to_what_comes_next(client: FlaskClient) -> None:
    page = read_html(client.get("/example?offset=20&n=10").text)
    (more,) = [each for each in page.all("a") if "#rank-" in each.attributes.get("href", "")]
    assert more.attributes["href"].endswith("#rank-31")


def test_changing_picks_keeps_what_anime_are_called(client: FlaskClient) -> None:
    text = client.get(f"/picks/{SCORED[0]}-9?title=english").text
    assert f'href="/pick?picks={SCORED[0]}-9&amp;title=english"' in text


def test_a_title_that_is_picked_is_said_to_be(client: FlaskClient) -> None:
    title = title_of(SCORED[0])
    text = client.get("/pick", query_string={"picks": f"{SCORED[0]}-9", "q": title}).text
    assert "Nothing found" not in text


def test_a_feed_for_nobody_promises_nothing(client: FlaskClient) -> None:
    assert "A typical fan would give it" in client.get("/picks/99999999-9?format=atom").text
    assert "You would give it" in client.get("/example?format=atom").text


def test_only_files_that_a_page_has_are_offered(client: FlaskClient) -> None:
    pair = client.get("/together/example?format=atom")
    assert pair.status_code == 400
    assert "csv, json, xml, card, tall" in pair.text
    assert "csv, json, xml, atom, ics, card, tall" in client.get("/example?format=x").text
