"""Age ratings: a ceiling that is asked for, that fits a child's list, or that is the server's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.age_rating import CEILINGS, AgeRating
from app.settings import AppSettings
from app.web.services.library import Library
from demo.fake_upstream import FakeUpstream
from tests.lists.scenarios import entry
from tests.tiny_model import EXPLICIT, FLAGGED, anime_ids
from tests.web.test_pages import page, shown_ids

IDS = anime_ids()
CHILDREN = IDS[14::15]
"""Rated G."""
API = "/api/v1/recommendations"
POST = {"top": 100, "planned": "yes"}


@pytest.fixture
def held(app: Flask) -> Library:
    found = app.extensions["hakken"].library
    assert isinstance(found, Library)
    return found


@pytest.fixture(scope="module")
def child(anilist: FakeUpstream) -> str:
    anilist.add_user("Child", [entry(n, n, score=8) for n in CHILDREN[:3]])
    return "Child"


def answer(client: FlaskClient, listed: list[int], **options: Any) -> dict[str, Any]:
    rows = [{"anime_id": n, "score": 8} for n in listed]
    response = client.post(API, json={"list": rows, **POST, **options})
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)
    return response.json


def levels(body: dict[str, Any]) -> set[int]:
    """Of what is recommended; -1 for what has no rating."""
    ratings = [item["age_rating"] for item in body["recommendations"]]
    return {AgeRating(rating).level if rating else -1 for rating in ratings}


@pytest.mark.parametrize("ceiling", CEILINGS)
def test_nothing_is_above_the_ceiling_or_without_a_rating(
    client: FlaskClient, held: Library, ceiling: AgeRating
) -> None:
    listed = IDS[10:14]
    everything = answer(client, listed)
    assert "ceiling" not in everything
    assert levels(everything) >= {-1, 0, 2, 3, 4}
    body = answer(client, listed, rating=ceiling)
    assert body["ceiling"] == {"rating": ceiling, "reason": "asked"}
    assert levels(body) <= set(range(ceiling.level + 1))
    passes = {
        item["anime_id"]
        for item in everything["recommendations"]
        if item["age_rating"] and AgeRating(item["age_rating"]).level <= ceiling.level
    }
    assert passes <= {item["anime_id"] for item in body["recommendations"]}


def test_a_rating_is_told_in_plain_words_and_that_it_was_inferred(client: FlaskClient) -> None:
    body = answer(client, IDS[10:14])
    inferred = [item for item in body["recommendations"] if item["rating_inferred"]]
    known = [
        item
        for item in body["recommendations"]
        if item["age_rating"] and not item["rating_inferred"]
    ]
    assert inferred
    assert known
    cards = page(client, "/user/anilist/Regular?n=100").one("ol").all("li", class_="card")
    facts = {
        card.one("h2").text: told.text for card in cards for told in card.all("p", class_="facts")
    }
    for item, before in ((inferred[0], "probably "), (known[0], " · ")):
        described = AgeRating(item["age_rating"]).description
        assert f"{before}{described}" in facts[item["title"]]
        told = page(client, f"/anime/{item['anime_id']}")
        rating = {each.one("dt").text: each.one("dd").text for each in told.one("dl").all("div")}
        assert described in rating["Age rating"]
        assert rating["Age rating"].endswith("(inferred)") is item["rating_inferred"]
        same = client.get(f"/api/v1/anime/{item['anime_id']}").json
        assert same is not None
        assert same["age_rating"] == item["age_rating"]


def test_a_childrens_list_gets_no_r_titles_and_is_told(client: FlaskClient, child: str) -> None:
    body = answer(client, CHILDREN[:3])
    assert body["ceiling"] == {"rating": "pg13", "reason": "childrens_list"}
    assert levels(body) <= {0, 1, 2}
    for options in ({"rating": "rplus"}, {"adult": True}):
        more = answer(client, CHILDREN[:3], **options)
        assert {3, 4} <= levels(more)
    shown = page(client, f"/user/anilist/{child}?n=100")
    told = "This looks like a child’s list, so nothing above PG-13 (13 and up) is shown."
    assert told in shown.text
    assert set(shown_ids(shown)) <= {item["anime_id"] for item in body["recommendations"]}
    undo = shown.one("ul", class_="chips").one("a")
    assert undo.text.startswith("Up to PG-13 (13 and up), for a child’s list")
    asked = page(client, undo.attributes["href"])
    assert "This looks like a child’s list" not in asked.text
    assert set(shown_ids(asked)) > set(shown_ids(shown))


def test_one_title_for_who_is_older_makes_it_no_childrens_list(
    client: FlaskClient, held: Library
) -> None:
    level = held.attributes.facets.rating_level
    older = int(held.model.anime_id[np.flatnonzero(level == AgeRating.R17.level)[0]])
    teens = held.model.anime_id[level == AgeRating.PG13.level].tolist()
    assert "ceiling" not in answer(client, [*CHILDREN, older])
    assert "ceiling" not in answer(client, [CHILDREN[0], teens[0]])
    assert "ceiling" in answer(client, [*CHILDREN[:2], teens[0]])
    assert "ceiling" not in answer(client, [])


def test_of_two_fans_one_child_is_enough(client: FlaskClient, child: str) -> None:
    query = f"source=anilist&username=Regular&with_source=anilist&with_username={child}&top=100"
    body = client.get(f"/api/v1/together?{query}").json
    assert body is not None
    assert body["ceiling"]["reason"] == "childrens_list"
    assert levels(body) <= {0, 1, 2}
    shown = page(client, f"/together/anilist/Regular/anilist/{child}")
    assert "nothing above PG-13" in shown.text


def test_beside_a_childrens_title_nothing_is_above_pg_13(client: FlaskClient) -> None:
    body = client.get(f"/api/v1/anime/{CHILDREN[0]}/similar?top=50").json
    assert body is not None
    beside = {each["anime_id"] for name in ("similarity", "also_loved") for each in body[name]}
    assert beside
    for anime_id in beside:
        told = client.get(f"/api/v1/anime/{anime_id}").json
        assert told is not None
        assert AgeRating(told["age_rating"]).level <= AgeRating.PG13.level
    assert "so is what is above PG-13" in page(client, f"/anime/{CHILDREN[0]}").text
    assert "so is what is above PG-13" not in page(client, f"/anime/{IDS[12]}").text


def test_favourites_beside_the_picks_say_it_too(client: FlaskClient, child: str) -> None:
    shown = page(client, f"/favourites/anilist/{child}?n=100")
    undo = shown.one("ul", class_="chips").one("a")
    assert undo.text.startswith("Up to PG-13 (13 and up), for a child’s list")
    assert undo.attributes["href"] == f"/favourites/anilist/{child}?n=100&rating=rplus"
    asked = page(client, undo.attributes["href"])
    cards = [len(each.one("ol", class_="cards").all("li")) for each in (shown, asked)]
    assert cards[0] < cards[1]


def test_a_server_may_have_a_ceiling_for_everybody(
    tiny_model: Path, anilist: FakeUpstream, tmp_path: Path
) -> None:
    settings = AppSettings(
        model=str(tiny_model),
        anilist_url=anilist.base_url("anilist"),
        cache_dir=tmp_path,
        limits=False,
        list_grace=120,
        max_rating=AgeRating.PG13,
    )
    client = create_app(settings).test_client()
    adult = {IDS[FLAGGED], IDS[EXPLICIT]}
    for options in ({}, {"adult": True}, {"rating": "rplus"}):
        body = answer(client, IDS[10:14], **options)
        assert body["ceiling"] == {"rating": "pg13", "reason": "server"}
        assert levels(body) <= {0, 1, 2}
        assert not adult & {item["anime_id"] for item in body["recommendations"]}
    lower = answer(client, IDS[10:14], rating="g")
    assert lower["ceiling"] == {"rating": "g", "reason": "asked"}
    shown = page(client, "/user/anilist/Regular")
    assert "Nothing above PG-13 (13 and up) is recommended here." in shown.text
    form = shown.one("form", id="again")
    assert not form.all("input", name="adult")
    offered = [o.attributes["value"] for o in form.one("select", name="rating").all("option")]
    assert offered == ["", "g", "pg", "pg13"]
