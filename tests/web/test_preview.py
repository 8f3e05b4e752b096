"""What a page says of itself elsewhere: title, description, preview tags, whether to index it."""

from __future__ import annotations

import struct

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.settings import PROJECT_ROOT, AppSettings
from tests.web.fans import IDS, SCORED
from tests.web.html_page import Element
from tests.web.test_pages import page

ONE = IDS[12]
OPEN = {
    "/": "Hakken: what to watch next",
    "/about": "How Hakken works",
    "/together": "Two fans: what would both enjoy? – Hakken",
    "/pick": "Pick anime you have seen – Hakken",
    f"/anime/{ONE}": f"Anime no. {ONE} – Hakken",
}
ABOUT_A_LIST = {
    "/user/anilist/Regular": "Picks for Regular – Hakken",
    "/together/anilist/Regular/anilist/NoScores": (
        "Regular and NoScores: what both would enjoy – Hakken"
    ),
    f"/picks/{SCORED[0]}-9": "Picks for your list – Hakken",
    f"/pick?picks={SCORED[0]}-9": "Pick anime you have seen – Hakken",
    "/example": "Picks for a made-up list – Hakken",
}


def tags(shown: Element) -> dict[str, str]:
    """Every meta tag by its name or property."""
    found = [each.attributes for each in shown.all("meta")]
    return {own.get("property") or own.get("name", ""): own.get("content", "") for own in found}


@pytest.mark.parametrize(("address", "title"), [*OPEN.items(), *ABOUT_A_LIST.items()])
def test_pages_introduce_themselves(client: FlaskClient, address: str, title: str) -> None:
    shown = page(client, address)
    found = tags(shown)
    assert shown.one("title").text == title == found["og:title"]
    assert found["description"] == found["og:description"]
    assert 30 <= len(found["description"]) <= 160
    assert found["og:url"] == f"http://localhost{address}"
    assert found["og:site_name"] == "Hakken"
    assert (found.get("robots") == "noindex") == (address in ABOUT_A_LIST)


def test_no_two_pages_say_the_same(client: FlaskClient) -> None:
    told = [tags(page(client, address))["description"] for address in (*OPEN, *ABOUT_A_LIST)]
    assert len(set(told)) == len(told) - 1  # the two ways to see the picks


def test_the_picture_is_there_and_as_large_as_it_says(client: FlaskClient) -> None:
    found = tags(page(client, "/"))
    assert found["og:type"] == "website"
    path = found["og:image"].removeprefix("http://localhost")
    with client.get(path) as response:
        assert response.mimetype == "image/png"
        data = response.data
    assert len(data) < 40_000
    width, height = struct.unpack(">II", data[16:24])
    assert (found["og:image:width"], found["og:image:height"]) == (str(width), str(height))
    assert (width, height) == (1200, 630)
    assert found["twitter:card"] == "summary_large_image"


def test_an_anime_shows_its_own_poster(client: FlaskClient) -> None:
    kinds = {tags(page(client, f"/anime/{n}"))["og:type"] for n in IDS[12:15]}
    assert kinds == {"video.movie", "video.tv_show"}
    found = tags(page(client, f"/anime/{ONE}"))
    assert found["og:image"] == f"https://cdn.myanimelist.net/images/anime/12/{ONE}.jpg"
    assert found["twitter:card"] == "summary"


def test_what_went_wrong_has_no_preview(client: FlaskClient) -> None:
    found = tags(page(client, "/user/anilist/Nobody99", 404))
    assert found["robots"] == "noindex"
    assert not [name for name in found if name.startswith("og:")]


def test_the_operator_s_address_counts(settings: AppSettings) -> None:
    public = settings.model_copy(
        update={"public_url": AppSettings(public_url="https://h.example/").public_url, "hosts": "*"}
    )
    app: Flask = create_app(public)
    found = tags(page(app.test_client(), "/user/anilist/Regular?order=score"))
    assert found["og:url"] == "https://h.example/user/anilist/Regular?order=score"
    assert found["og:image"] == "https://h.example/user/anilist/Regular?order=score&format=card"


def test_addresses_are_written_as_addresses(client: FlaskClient) -> None:
    found = tags(page(client, f"/anime/{ONE}?title=english&x=発見%22%3E"))
    assert (
        found["og:url"] == f"http://localhost/anime/{ONE}?title=english&x=%E7%99%BA%E8%A6%8B%22%3E"
    )


def test_only_what_is_about_nobody_is_kept_by_others(client: FlaskClient) -> None:
    for address in ABOUT_A_LIST:
        assert client.get(address).headers["Cache-Control"] == "private, no-store"
    assert (PROJECT_ROOT / "static" / "preview.png").exists()
