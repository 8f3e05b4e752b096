from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import cache
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.settings import AppSettings
from app.web.requests.upload import MAX_UPLOAD_BYTES
from tests.tiny_model import ANILIST_OFFSET, title_of
from tests.web.fans import SCORED, regular_export
from tests.web.html_page import Element, read_html


def send(client: FlaskClient, data: bytes, name: str = "animelist.xml.gz") -> TestResponse:
    """Post a file as a browser does (the test client's own way would leave a file open)."""
    head = f'--edge\r\nContent-Disposition: form-data; name="export"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + b"\r\n--edge--\r\n"
    return client.post("/upload", data=body, content_type="multipart/form-data; boundary=edge")


def titles(page: Element) -> list[str]:
    return [heading.text for heading in page.one("ol").all("h2")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["xml", "gzip"])
def test_an_export_is_answered_at_once(client: FlaskClient, pack: type[bytes]) -> None:
    response = send(client, pack(regular_export()))
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "private, no-store"
    page = read_html(response.text)
    assert page.one("h1").text == "Picks for Exporter"
    assert f"From {len(SCORED)} scored titles on a list of {len(SCORED)}." in page.text
    rows = [{"anime_id": n, "score": 10 - place % 5} for place, n in enumerate(SCORED)]
    api = client.post("/api/v1/recommendations", json={"list": rows}).json
    assert api is not None
    assert titles(page) == [item["title"] for item in api["recommendations"]]


def test_a_file_may_be_no_longer_than_a_list(settings: AppSettings) -> None:
    limit = {"max_list_length": len(SCORED) - 1}
    client = create_app(settings.model_copy(update=limit)).test_client()
    page = send(client, regular_export())
    assert page.status_code == 413
    assert f"up to {len(SCORED) - 1}" in page.text
    answer = client.post("/api/v1/recommendations/file", data=regular_export())
    assert answer.status_code == 413
    assert answer.json is not None
    assert answer.json["type"].endswith("/list-too-long")


def test_order_and_more_go_on_from_the_page_itself(client: FlaskClient) -> None:
    page = read_html(send(client, regular_export()).text)
    carried = page.one("input", name="list").attributes["value"]
    choices = {
        b.text: unquote(b.attributes["value"])
        for b in page.all("button", name="choice")
        if not b.text.startswith(
            ("Not for me", "Table", "Data", "Plan to watch", "Picture", "See all : ", "Anime no.")
        )
    }
    assert choices == {
        "Best match": "",
        "Hidden gems": "order=discover",
        "Predicted score": "order=score",
        "English titles": "title=english",
        "Japanese titles": "title=native",
        "Surprise me": "surprise=1",
        "20 more titles": "n=40",
        "See all best matches": "n=40",
    }
    more = read_html(client.post("/upload", data={"list": carried, "choice": "n=40"}).text)
    assert titles(more)[:20] == titles(page)
    assert len(titles(more)) > 20
    assert more.one("input", name="list").attributes["value"] == carried


def test_filters_and_marks_work_on_a_file_too(client: FlaskClient) -> None:
    page = read_html(send(client, regular_export()).text)
    carried = page.one("input", name="list").attributes["value"]
    first, second = (card.one("select", name="seen") for card in page.one("ol").all("li")[:2])
    seen = first.all("option")[1].attributes["value"]
    sent = {"list": carried, "type": ["tv", "ova"], "year_from": "", "seen": ["", seen]}
    many = {"seen": [seen, *[""] * 99], "genre": [""] * 50}
    everything = client.post("/upload", data=sent | many, content_type="multipart/form-data")
    assert everything.status_code == 200
    shown = read_html(client.post("/upload", data=sent).text)
    kinds = {card.one("p", class_="facts").text.split()[0] for card in shown.one("ol").all("li")}
    assert kinds <= {"TV", "OVA"}
    chips = [item.text for item in shown.one("ul", class_="chips").all("button")]
    assert chips[0].startswith("Type: TV or OVA")
    assert chips[1].startswith("Seen: Anime no. ")
    assert second.attributes["form"] == shown.one("form", class_="again").attributes["id"]


@pytest.mark.parametrize(
    "carried",
    [
        "",
        "[]",
        '{"rows": [[0, null, 2]]}',
        '{"rows": [[1, 11, 2]]}',
        '{"rows": [[1, 1, 5]]}',
        json.dumps({"rows": [[n, None, 2] for n in range(1, 20_002)]}),
    ],
)
def test_a_list_that_comes_back_broken_is_refused(client: FlaskClient, carried: str) -> None:
    response = client.post("/upload", data={"list": carried})
    assert response.status_code == 400
    assert "upload the file again" in response.text


@cache
def bomb() -> bytes:
    return gzip.compress(b"<myanimelist>" + b" " * 60_000_000)


def huge() -> bytes:
    return b"<" + b" " * MAX_UPLOAD_BYTES


Data = bytes | Callable[[], bytes]
"""What is large is made where it is sent."""


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        (b"hello", 400, "does not know what this file is"),
        (b"", 400, "does not know what this file is"),
        (gzip.compress(regular_export())[:-20], 400, "damaged"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><myanimelist>&b;</myanimelist>', 400, "XML"),
        (b"<myanimelist><manga></manga></myanimelist>", 400, "a list of manga"),
        (bomb, 413, "too large"),
        (huge, 413, "larger than Hakken accepts"),
    ],
    ids=["text", "empty", "torn", "entity", "manga", "bomb", "huge"],
)
def test_what_is_no_list_is_refused_kindly(
    client: FlaskClient, data: Data, status: int, sentence: str
) -> None:
    response = send(client, data() if callable(data) else data)
    assert response.status_code == status
    page = read_html(response.text)
    assert sentence in page.one("p", id="problem").text
    assert page.one("title").text.startswith("Error: ")
    field = page.all("input", id="export")
    assert field[0].attributes["aria-invalid"] == "true"
    assert "problem" in field[0].attributes["aria-describedby"].split()


def test_an_empty_list_is_welcome(client: FlaskClient) -> None:
    response = send(client, b"<myanimelist></myanimelist>")
    assert response.status_code == 200
    assert "This list is empty so far." in read_html(response.text).text


def test_a_file_of_another_site_is_placed_by_its_titles(client: FlaskClient) -> None:
    rows = [{"name": title_of(n), "status": "watched", "rating": 4.5} for n in SCORED]
    rows += [{"name": f"Nobody knows {n}", "status": "watched"} for n in range(7)]
    file = {"user": {"name": "Planner"}, "export": {"type": "anime"}, "entries": rows}
    page = read_html(send(client, json.dumps(file).encode(), "export-anime.json").text)
    assert page.one("h1").text == "Picks for Planner"
    assert f"From {len(SCORED)} scored titles on a list of {len(SCORED) + 7}." in page.text
    said = "7 titles could not be matched with MyAnimeList, by whose numbers Hakken knows anime: "
    assert f"{said}Nobody knows 0; Nobody knows 1; " in page.text
    assert "Nobody knows 4 and 2 more." in page.text
    assert "Read as a list of Anime-Planet." in page.text
    carried = page.one("input", name="list").attributes["value"]
    again = client.post("/upload", data={"list": carried, "choice": "order=score"}).text
    assert f"{said}Nobody knows 0; " in read_html(again).text


def test_a_file_of_anilist_leads_to_anilist(client: FlaskClient) -> None:
    ids = [n + ANILIST_OFFSET for n in SCORED]
    rows = [{"series_type": 0, "series_id": n, "status": 2, "score": 90} for n in ids]
    file = {"user": {"display_name": "fan"}, "lists": rows}
    page = read_html(send(client, json.dumps(file).encode()).text)
    assert page.one("h1").text == "Picks for fan"
    assert f"on a list of {len(SCORED)}." in page.text
    links = [a.attributes["href"] for a in page.one("ol").all("a")]
    assert any(link.startswith("https://anilist.co/anime/") for link in links)
    # Somebody else’s words for a site are none.
    carried = page.one("input", name="list").attributes["value"].replace("anilist", "elsewhere")
    assert client.post("/upload", data={"list": carried}).status_code == 400


def post_file(client: FlaskClient, data: bytes, query: str = "") -> TestResponse:
    address = f"/api/v1/recommendations/file{query}"
    return client.post(address, data=data, content_type="application/octet-stream")


def test_the_api_takes_files(client: FlaskClient) -> None:
    rows = [{"title": title_of(n), "score": 10 - place % 5} for place, n in enumerate(SCORED)]
    rows.append({"title": "Nobody knows it", "score": 5})
    body = post_file(client, gzip.compress(json.dumps(rows).encode()), "?top=5").json
    assert body is not None
    listed = [{"anime_id": n, "score": 10 - place % 5} for place, n in enumerate(SCORED)]
    same = client.post("/api/v1/recommendations", json={"list": listed, "top": 5}).json
    assert same is not None
    assert body["recommendations"] == same["recommendations"]
    assert body["file_format"] == "table"
    assert body["list"]["unmapped"] == 1
    assert body["list"]["unplaced_titles"] == ["Nobody knows it"]


@pytest.mark.parametrize(
    ("data", "status", "slug"),
    [(b"hello", 400, "bad-export-file"), (bomb, 413, "export-too-large"), (huge, 413, "too-large")],
    ids=["text", "bomb", "huge"],
)
def test_the_api_says_what_is_wrong_with_a_file(
    client: FlaskClient, data: Data, status: int, slug: str
) -> None:
    response = post_file(client, data() if callable(data) else data)
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.json is not None
    assert response.json["type"].endswith(f"/problems/{slug}")


def test_no_file_chosen(client: FlaskClient) -> None:
    for response in (send(client, b"", name=""), client.post("/upload")):
        assert response.status_code == 400
        assert "No file was chosen" in response.text
        assert "This file cannot be read" in response.text


def test_without_scripts_reloading_the_address_of_an_answer_starts_over(
    client: FlaskClient,
) -> None:
    response = client.get("/upload")
    assert response.headers["Cache-Control"] == "private, no-store"
    (refresh,) = read_html(response.text).one("noscript").all("meta")
    assert refresh.attributes["content"] == "0; url=/#upload"
