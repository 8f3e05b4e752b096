"""Favourites beside the picks, and what the picks rest on."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.tiny_model import title_of
from tests.web.fans import SCORED, export
from tests.web.html_page import Element, read_html

PAGE = "/favourites/kitsu/Regular"


@pytest.fixture(scope="module")
def kitsu() -> Iterator[FakeUpstream]:
    with FakeUpstream() as fake:
        fake.add_user("Regular", [DemoEntry(n, 10 - place % 5) for place, n in enumerate(SCORED)])
        fake.add_user("Nothing", [DemoEntry(n, 5) for n in SCORED])
        yield fake


def serving(model: Path, kitsu: FakeUpstream, cache: Path) -> FlaskClient:
    settings = AppSettings(
        model=str(model),
        kitsu_url=kitsu.base_url("kitsu"),
        cache_dir=cache,
        limits=False,
        list_grace=120,
        rate_lists="off",
        rate_pages="off",
    )
    return create_app(settings).test_client()


@pytest.fixture(scope="module")
def client(
    tiny_model_with_als: Path, kitsu: FakeUpstream, tmp_path_factory: pytest.TempPathFactory
) -> FlaskClient:
    return serving(tiny_model_with_als, kitsu, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def plain(
    tiny_model: Path, kitsu: FakeUpstream, tmp_path_factory: pytest.TempPathFactory
) -> FlaskClient:
    """Hakken with a model that has no further engine."""
    return serving(tiny_model, kitsu, tmp_path_factory.mktemp("cache"))


def page_of(client: FlaskClient, address: str) -> Element:
    response = client.get(address)
    assert response.status_code == 200, response.text
    return read_html(response.text)


def reasons(page: Element) -> dict[str, str]:
    """Why, by the place of a pick."""
    return {
        card.attributes["id"].removeprefix("rank-"): card.one("p", class_="because").text
        for card in page.all("li", class_="card")
        if card.all("p", class_="because")
    }


@pytest.mark.parametrize("engine", ["hakken", "als"])
def test_favourites_stand_beside_the_picks(client: FlaskClient, engine: str) -> None:
    page = page_of(client, f"{PAGE}?engine={engine}")
    own = page.one("section", class_="own")
    loved = [n for place, n in enumerate(SCORED) if 10 - place % 5 >= 9]
    wanted = sorted(loved, key=lambda n: (-(10 - SCORED.index(n) % 5), n))
    assert [item.text for item in own.all("h3")] == [title_of(n) for n in wanted]
    why = reasons(page)
    spoken = 0
    for item, anime_id in zip(own.all("li"), wanted, strict=True):
        told = {
            link.attributes["href"].removeprefix("#rank-") for link in item.all("a", class_="to")
        }
        assert told == {
            rank for rank, text in why.items() if f"{title_of(anime_id)} " in f"{text} "
        }
        spoken += len(told)
    assert spoken
    results = page_of(client, f"/user/kitsu/Regular?engine={engine}")
    heads = [card.one("h2").text for card in results.one("ol").all("li")]
    assert [card.one("h2").text for card in page.all("li", class_="card")] == heads


def test_the_results_lead_there_and_back(client: FlaskClient) -> None:
    found = page_of(client, "/user/kitsu/Regular?engine=als&n=30")
    links = [a.attributes["href"] for a in found.all("a") if "favourites" in a.text]
    assert links == ["/favourites/kitsu/Regular?n=30&engine=als"]
    back = [a.attributes["href"] for a in page_of(client, links[0]).all("a", class_="choice")]
    assert "/user/kitsu/Regular?n=30&engine=als" in back
    assert "favourites" not in page_of(client, "/user/kitsu/Nothing").one("main").text


def test_a_list_without_favourites_says_so(client: FlaskClient) -> None:
    page = page_of(client, "/favourites/kitsu/Nothing")
    assert "tells of no favourites" in page.one("p", class_="lead").text
    assert page.all("li", class_="card")
    assert not page.all("section", class_="own")
    assert client.get("/favourites/nowhere/Nothing").status_code == 404
    assert client.get("/favourites/kitsu/Nobody99").status_code == 404


def test_what_the_picks_rest_on_can_be_chosen(client: FlaskClient) -> None:
    for address in (
        "/user/kitsu/Regular",
        PAGE,
        "/example",
        "/together/kitsu/Regular/kitsu/Nothing",
    ):
        page = page_of(client, address)
        choices = page.one("div", class_="engines").all("a")
        assert [choice.text for choice in choices] == ["Scores and lists", "What you did"]
        assert [choice.attributes.get("aria-current") for choice in choices] == ["true", None]
        assert choices[1].attributes["href"] == f"{address}?engine=als"
        chosen = page_of(client, choices[1].attributes["href"])
        current = chosen.one("div", class_="engines").one("a", **{"aria-current": "true"})
        assert current.text == "What you did"
        heads = [
            [
                card.one("h2").text
                for card in each.one("ol", class_="cards").all("li", class_="card")
            ]
            for each in (page, chosen)
        ]
        assert heads[0] != heads[1], address


def test_filters_and_uploads_keep_it(client: FlaskClient) -> None:
    page = page_of(client, "/user/kitsu/Regular?engine=als")
    kept = [e for e in page.all("input", type="hidden") if e.attributes["name"] == "engine"]
    assert [e.attributes["value"] for e in kept] == ["als"]
    uploaded = client.post(
        "/upload", data={"export": (BytesIO(export(dict.fromkeys(SCORED, 8))), "list.xml")}
    )
    buttons = read_html(uploaded.text).one("div", class_="engines").all("button")
    assert [button.attributes["value"] for button in buttons] == ["", "engine=als"]


def test_a_model_without_engines_looks_as_before(plain: FlaskClient) -> None:
    for address in ("/user/kitsu/Regular", PAGE, "/together/kitsu/Regular/kitsu/Nothing"):
        assert not page_of(plain, address).all("div", class_="engines")
    refused = plain.get("/user/kitsu/Regular?engine=als")
    assert refused.status_code == 400
    assert "“engine” should be one of: hakken." in refused.text


def test_favourites_count_where_the_engine_counts_them(client: FlaskClient) -> None:
    """The same list without favourites is answered otherwise by ALS, and not by Hakken."""
    entries = [
        {"anime_id": n, "score": 10 - place % 5, "status": "completed"}
        for place, n in enumerate(SCORED)
    ]
    for engine, same in (("als", False), ("hakken", True)):
        fetched = client.get(
            f"/api/v1/recommendations?source=kitsu&username=Regular&engine={engine}"
        ).json
        sent = client.post("/api/v1/recommendations", json={"list": entries, "engine": engine}).json
        assert fetched
        assert sent
        assert fetched["engine"] == sent["engine"] == engine
        matches = [
            [(item["anime_id"], item["match"]) for item in body["recommendations"]]
            for body in (fetched, sent)
        ]
        assert (matches[0] == matches[1]) is same
