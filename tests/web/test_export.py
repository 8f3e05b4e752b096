from __future__ import annotations

import csv
import io

import pytest
from flask.testing import FlaskClient

from app.lists.files import read_list_file
from app.recommender import EngineName, SortOrder
from app.schemas.recommendations import (
    ContributionSchema,
    ListCoverage,
    MovedFor,
    RecommendationSchema,
    RecommendationsResponse,
)
from app.web.presenters.export import _escape_formula, to_csv
from tests.web.fans import regular_export
from tests.web.html_page import Element, read_html
from tests.web.test_pages import page, shown_ids
from tests.web.test_upload import send


def rows(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def downloads(shown: Element) -> Element:
    """Where a page offers files."""
    return next(each for each in shown.all("p") if each.text.startswith("Take it with you"))


def test_what_is_shown_can_be_kept(client: FlaskClient) -> None:
    address = "/user/anilist/Regular?n=5&type=tv,ova"
    shown = page(client, address)
    links = {a.text: a.attributes["href"] for a in downloads(shown).all("a")}
    table = client.get(links["Table (CSV)"])
    assert table.mimetype == "text/csv"
    assert table.headers["Content-Disposition"] == 'attachment; filename="hakken.csv"'
    assert [int(row["anime_id"]) for row in rows(table.data)] == shown_ids(shown)
    assert "Anime no. " in rows(table.data)[0]["because"]
    body = client.get(links["Data (JSON)"]).json
    assert body is not None
    assert [item["anime_id"] for item in body["recommendations"]] == shown_ids(shown)
    plain = downloads(page(client, "/user/anilist/Regular")).all("a")[0]
    assert client.get(plain.attributes["href"]).mimetype == "text/csv"


@pytest.mark.parametrize("query", ["type=tv&year_to=1900", "rating=g", "n=5"])
def test_data_are_as_the_api_has_them(client: FlaskClient, query: str) -> None:
    kept = client.get(f"/user/anilist/Regular?{query}&format=json&lang=ja&title=romaji").json
    top = query.replace("n=", "top=")
    api = client.get(f"/api/v1/recommendations?source=anilist&username=Regular&{top}").json
    assert kept is not None
    assert api is not None
    assert ("relax" in kept, "ceiling" in kept) == ("year" in query, "rating" in query)
    for name in kept.keys() - {"list"}:  # where it is from is told by the API alone
        assert kept[name] == api[name]
    assert api.keys() - kept.keys() == {"source", "username"}


def test_an_upload_s_picks_can_be_kept(client: FlaskClient) -> None:
    shown = read_html(send(client, regular_export()).text)
    carried = shown.one("input", name="list").attributes["value"]
    table, _, plan, _ = downloads(shown).all("button")
    kept = client.post("/upload", data={"list": carried, "choice": table.attributes["value"]})
    assert [int(row["anime_id"]) for row in rows(kept.data)] == shown_ids(shown)
    planned = client.post("/upload", data={"list": carried, "choice": plan.attributes["value"]})
    listed = read_list_file(planned.data).entries
    assert [entry.mal_id for entry in listed] == shown_ids(shown)


def test_only_some_kinds_of_file(client: FlaskClient) -> None:
    response = client.get("/example?format=exe")
    assert response.status_code == 400
    assert "“format” should be one of: csv, json, xml, atom, ics, card, tall." in response.text


def test_no_part_of_a_cell_is_a_formula_where_semicolons_part_cells() -> None:
    assert _escape_formula("Steins;Gate; -x; y") == "Steins;Gate;' -x; y"
    assert _escape_formula("a\t@b\n=c|+d") == "a\t'@b\n'=c|'+d"
    assert _escape_formula("Re:Zero, -kara (=) + x") == "Re:Zero, -kara (=) + x"


@pytest.mark.parametrize("start", [*"=+-@＝＋－＠\t\r\n", " =", "\u3000=", "\ufeff＝", "\x00-"])
def test_no_cell_is_a_formula(start: str) -> None:
    because = ContributionSchema(anime_id=2, title=f"{start}2", score=8.0, weight=1.0)
    item = RecommendationSchema(
        rank=1,
        anime_id=5,
        title=f'{start}HYPERLINK("x")',
        title_english=None,
        title_native=None,
        type="TV",
        year=None,
        episodes=None,
        genres=(f"{start}1+1",),
        themes=(),
        age_rating=None,
        rating_inferred=False,
        match=-0.5,
        moved_by=-1.5,
        moved_for=MovedFor.LENGTH,
        match_percentile=None,
        expected_score=7.5,
        predicted_score=7.5,
        expected_error=1.0,
        because=[because],
        rest=0.0,
        follows=None,
        more_of_franchise=0,
        few_fans=False,
        picture=None,
        url="https://x",
        mal_url="https://x",
        anilist_id=None,
        kitsu_id=None,
        tvdb_id=None,
    )
    answer = RecommendationsResponse(
        model="1",
        engine=EngineName.HAKKEN,
        order=SortOrder.MATCH,
        explained="match",
        personal=True,
        list=ListCoverage(known=1, rated=1, unknown=0),
        recommendations=[item],
    )
    ((head, row),) = [list(csv.reader(io.StringIO(to_csv(answer), newline="")))]
    cells = dict(zip(head, row, strict=True))
    for name in ("title", "genres", "because"):
        assert cells[name].startswith(f"'{start}")
    assert cells["match"] == "-0.5"
    assert cells["moved_by"] == "-1.5"
    assert cells["title_english"] == ""
