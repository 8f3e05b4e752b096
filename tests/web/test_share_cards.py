"""Pictures to show to a friend: what is on them, who may keep them, and that pages lead to them."""

from __future__ import annotations

import io
import re
import sqlite3
import time
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from app import create_app
from app.catalogue import TitleLanguage
from app.recommender import UserList, WatchStatus, recommend
from app.recommender.fold_in import fold_in
from app.schemas.recommendations import RecommendationsResponse
from app.settings import AppSettings
from app.translation import LANGUAGES, current_language
from app.web.presenters.share_card import build_taste_card, find_loved
from app.web.services.library import Library
from app.web.state import AppState
from tests.tiny_model import EXPLICIT, FLAGGED, tiny_catalogue
from tests.web.fans import IDS, SCORED, regular_export
from tests.web.html_page import read_html
from tests.web.test_limits import limited
from tests.web.test_pages import page
from tests.web.test_preview import tags
from tests.web.test_upload import send

PICKS = f"/picks/{SCORED[0]}-9.{SCORED[1]}-8"
PAGES = (
    "/user/anilist/Regular",
    "/user/anilist/Regular?order=score&title=english",
    "/user/anilist/NoScores",
    "/user/anilist/OnlyPlans",
    "/example",
    PICKS,
    "/together/anilist/Regular/anilist/NoScores",
    "/together/example",
    "/favourites/anilist/Regular",
)
ROWS = tiny_catalogue().to_dicts()
SIZES = {"card": (1200, 630), "tall": (1080, 1920)}


@pytest.fixture
def held(app: Flask) -> Library:
    hakken: AppState = app.extensions["hakken"]
    assert hakken.library is not None
    return hakken.library


def size(data: bytes) -> tuple[int, int]:
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "PNG"
    return picture.size


@pytest.mark.parametrize("address", PAGES)
def test_the_preview_of_a_page_is_its_picture(client: FlaskClient, address: str) -> None:
    found = tags(page(client, address))
    picture = found["og:image"].removeprefix("http://localhost")
    answer = client.get(picture)
    assert answer.mimetype == found["og:image:type"] == "image/png"
    assert size(answer.data) == SIZES["card"]
    assert (found["og:image:width"], found["og:image:height"]) == ("1200", "630")
    assert found["twitter:card"] == "summary_large_image"
    assert client.get(picture).data == answer.data


@pytest.mark.parametrize("address", PAGES[:-1])
def test_both_pictures_are_links_on_the_page(client: FlaskClient, address: str) -> None:
    shown = page(client, address).one("div", id="share")
    for link, wanted in zip(shown.all("a"), SIZES.values(), strict=True):
        answer = client.get(link.attributes["href"])
        assert size(answer.data) == wanted
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["Cache-Control"] == "private, max-age=300"


def test_a_japanese_page_has_a_japanese_picture(client: FlaskClient) -> None:
    japanese = tags(page(client, "/example?lang=ja"))["og:image"]
    assert japanese == "http://localhost/example?format=card&lang=ja"
    client.delete_cookie("lang")
    in_english = client.get("/example?format=card", headers={"Accept-Language": "ja"})
    assert in_english.data == client.get("/example?format=card").data
    assert client.get(japanese).data != in_english.data
    assert "Set-Cookie" not in client.get(japanese).headers


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_speaks_the_language_of_its_page(held: Library, language: str) -> None:
    rows = [(n, 9.0 - at % 4, int(WatchStatus.COMPLETED)) for at, n in enumerate(IDS[:12])]
    result = recommend(held.model, UserList.from_entries(rows))
    native_titles = held.in_language(TitleLanguage.NATIVE)
    answer = RecommendationsResponse.build(result, native_titles.catalogue)
    current_language.set(language)
    card = build_taste_card(native_titles, result, answer, "Hana")
    said = [*card.headings, card.verdict, card.explanation, *(row.label for row in card.rows)]
    japanese = re.compile("[ぁ-んァ-ン一-龠]")
    assert len(said) == 6
    assert [each for each in said if bool(japanese.search(each)) != (language == "ja")] == []
    shown = {tile.anime_id: tile.titles[0] for row in card.rows for tile in row.tiles}
    native = {row["anime_id"]: row["title_native"] or row["title"] for row in ROWS}
    assert shown == {each: native[each] for each in shown}


def test_an_upload_has_a_picture_but_no_address(client: FlaskClient) -> None:
    shown = read_html(send(client, regular_export()).text)
    assert not shown.all("div", id="share")
    assert tags(shown)["og:image"].startswith("http://localhost/static/preview.png")
    (button,) = [each for each in shown.all("button") if each.text == "Picture for friends"]
    form = shown.one("form", id="again")
    kept = {
        each.attributes["name"]: each.attributes["value"] for each in form.all("input", name="list")
    }
    answer = client.post("/upload", data={**kept, "choice": button.attributes["value"]})
    assert size(answer.data) == SIZES["card"]


def test_a_picture_is_kept_no_longer_than_a_list(settings: AppSettings, tmp_path: Path) -> None:
    changes = {"cache_dir": tmp_path, "list_cache": 120.0}
    client = create_app(settings.model_copy(update=changes)).test_client()
    answer = client.get("/user/anilist/Regular?format=card")
    assert answer.headers["Cache-Control"] == "private, max-age=120"
    with sqlite3.connect(tmp_path / "lists.sqlite") as store:
        rows = store.execute("SELECT key, value, expires FROM lists").fetchall()
    cards = [(key, expires) for key, value, expires in rows if value.startswith("iVBOR")]
    assert len(cards) == 1
    assert all("regular" not in key.lower() for key, _, _ in rows)
    assert cards[0][1] <= time.time() + 121


def test_nothing_is_kept_where_no_list_is(settings: AppSettings, tmp_path: Path) -> None:
    changes = {"cache_dir": tmp_path, "list_cache": 0.0, "list_stale": 0.0}
    client = create_app(settings.model_copy(update=changes)).test_client()
    answer = client.get(f"{PICKS}?format=tall")
    assert size(answer.data) == SIZES["tall"]
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_pictures_count_like_the_pages_they_show(settings: AppSettings) -> None:
    client = limited(settings).test_client()
    for address, most in ((PICKS, 4), ("/user/anilist/Regular", 2)):
        found = [client.get(f"{address}?format=card").status_code for _ in range(most + 1)]
        assert found == [*[200] * most, 429]


def test_what_is_no_format_is_said(client: FlaskClient) -> None:
    answer = client.get("/example?format=gif")
    assert answer.status_code == 400
    assert "“format” should be one of: csv, json, xml, atom, ics, card, tall." in answer.text


def test_a_list_that_cannot_be_read_has_no_picture(client: FlaskClient) -> None:
    assert client.get("/user/anilist/Nobody99?format=card").status_code == 404


def test_loved_is_what_is_scored_highest_one_a_series(held: Library) -> None:
    facts = {row["anime_id"]: row for row in ROWS}
    adult = {IDS[FLAGGED], IDS[EXPLICIT]}
    scores = {n: 10.0 if n in adult else float(4 + at % 7) for at, n in enumerate(IDS)}
    rows = [(n, score, int(WatchStatus.COMPLETED)) for n, score in scores.items()]
    profile = fold_in(held.model, UserList.from_entries(rows))
    found = find_loved(held, profile, 5)
    assert len(found) == 5
    assert not {n for n, _ in found} & adult
    assert all(scores[n] == score == 10 for n, score in found)
    series = [facts[n].get("franchise_id") or -n for n, _ in found]
    assert len(set(series)) == len(series)
    assert find_loved(held, fold_in(held.model, UserList.from_entries(rows[::-1])), 5) == found
    favourite = UserList.from_entries(rows).with_favourites([IDS[11]])
    assert find_loved(held, fold_in(held.model, favourite), 5)[0] == (IDS[11], 8.0)


def test_nobody_loves_what_was_scored_low(held: Library) -> None:
    low = UserList.from_entries([(n, 5.0, int(WatchStatus.COMPLETED)) for n in IDS[:6]])
    assert find_loved(held, fold_in(held.model, low), 3) == []


def test_those_who_show_previews_may_look(client: FlaskClient) -> None:
    from urllib.robotparser import RobotFileParser

    rules = RobotFileParser()
    rules.parse(client.get("/robots.txt").text.splitlines())
    for bot in ("Twitterbot", "facebookexternalhit", "Discordbot"):
        assert rules.can_fetch(bot, "/user/anilist/Regular")
        assert not rules.can_fetch(bot, "/api/v1/anime")
    assert not rules.can_fetch("AnyBot", "/user/anilist/Regular")
