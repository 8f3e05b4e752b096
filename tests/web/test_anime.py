"""The page of an anime, and the same from the API, against the model's own matrices."""

from __future__ import annotations

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.web.services.library import Library
from app.web.state import AppState
from tests.tiny_model import ANILIST_OFFSET, BARE, EXPLICIT, FLAGGED, HOSTILE, HOSTILE_TITLE
from tests.web.fans import IDS
from tests.web.test_pages import page

ONE = IDS[12]
LISTS = ("similarity", "affinity", "also_loved")


@pytest.fixture
def held(app: Flask) -> Library:
    hakken: AppState = app.extensions["hakken"]
    assert hakken.library is not None
    return hakken.library


def test_a_page_says_what_is_known(client: FlaskClient, held: Library) -> None:
    shown = page(client, f"/anime/{ONE}")
    assert shown.one("h1").text == f"Anime no. {ONE}"
    known = {
        each.one("dt").text: each.one("dd").text
        for each in shown.one("dl", class_="known").all("div")
    }
    at = int(np.searchsorted(held.model.anime_id, ONE))
    length = held.catalogue.get_anime(ONE).episodes
    kind = held.catalogue.get_anime(ONE).type
    assert shown.one("p", class_="brief").text == f"{kind} · Winter 1992 · {length} episodes"
    assert known["Genres"] == "Drama"
    assert (known["Themes"], known["Made for"]) == ("Mecha, Space", "Shounen")
    assert (known["Made from"], known["Studio"]) == ("Manga", "Madhouse")
    assert known["Age rating"] == "PG-13, 13 and up"
    assert shown.one("details", class_="tags").one("p").text == "Time Skip, Found Family"
    place = held.model.popularity_order.tolist().index(at) + 1
    assert known["How well known"] == f"Number {place} of 60 anime"
    bias = held.model.item_bias[at]
    side = "above" if bias >= 0 else "below"
    told = f"{held.model.global_mean + bias:.1f} , {abs(bias):.1f} {side} the average score"
    assert known["A typical fan gives it"] == told
    assert known["Hakken learned from"] == f"the scores of {held.model.rating_count[at]} fans"
    out = {a.text: a.attributes["href"] for a in shown.one("p", class_="out").all("a")}
    assert out == {
        "MyAnimeList": f"https://myanimelist.net/anime/{ONE}",
        "AniList": f"https://anilist.co/anime/{ONE + ANILIST_OFFSET}",
        "English titles": f"/anime/{ONE}?title=english",
        "Japanese titles": f"/anime/{ONE}?title=native",
    }


def test_what_is_like_it_comes_from_the_matrices(client: FlaskClient, held: Library) -> None:
    at = int(np.searchsorted(held.model.anime_id, ONE))
    body = client.get(f"/api/v1/anime/{ONE}/similar?top=50").json
    assert body is not None
    for name, attribute, column in (
        ("similarity", "similarity", True),
        ("affinity", "affinity_matrix", False),
    ):
        matrix = getattr(held.model, attribute)
        dense = np.zeros((60, 60))
        for source in range(60):
            row = slice(matrix.indptr[source], matrix.indptr[source + 1])
            dense[source, matrix.indices[row]] = matrix.data[row] * matrix.scale
        own = held.model.parameters
        lists = held.model.entry_count / own.similar_items_shrinkage
        less_known = dense[at] / (1.0 + lists) ** own.similar_items_popularity
        weights = dense[:, at] if column else less_known
        wanted = {
            int(held.model.anime_id[n]): weights[n]
            for n in range(60)
            if weights[n] > 0 and n != at and held.non_adult[n]
        }
        found = {each["anime_id"]: each["weight"] for each in body[name]}
        assert found == pytest.approx(wanted, abs=1e-6)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert len(found) > 3
    shown = page(client, f"/anime/{ONE}")
    told = [
        [int(a.attributes["href"].removeprefix("/anime/")) for a in section.all("a")]
        for name in ("loved", "picked", "scored")
        for section in shown.all("ol", **{"aria-labelledby": name})
    ]
    wanted_lists = [body["also_loved"][:8], body["affinity"][:10], body["similarity"][:10]]
    assert told == [[each["anime_id"] for each in found] for found in wanted_lists]


def test_people_who_loved_it_also_loved_what_a_list_of_it_alone_brings(client: FlaskClient) -> None:
    """The same as the recommendations of the API for that list."""
    for anime_id in (ONE, IDS[0], IDS[BARE]):
        found = client.get(f"/api/v1/anime/{anime_id}/similar?top=20").json
        body = {"list": [{"anime_id": anime_id, "score": 10}], "top": 20}
        wanted = client.post("/api/v1/recommendations", json=body).json
        assert found is not None
        assert wanted is not None
        assert [
            (each["anime_id"], each["match"], each["predicted_score"])
            for each in found["also_loved"]
        ] == [
            (each["anime_id"], each["match"], each["predicted_score"])
            for each in wanted["recommendations"]
        ]
    link = page(client, f"/anime/{ONE}").one("section", class_="loved").one("p").one("a")
    assert link.attributes["href"] == f"/picks/{ONE}-10"


def test_adult_titles_stand_only_beside_their_like(client: FlaskClient) -> None:
    adult = {IDS[FLAGGED], IDS[EXPLICIT]}
    seen = set()
    for anime_id in IDS:
        body = client.get(f"/api/v1/anime/{anime_id}/similar?top=50").json
        assert body is not None
        beside = {each["anime_id"] for name in LISTS for each in body[name]}
        if anime_id not in adult:
            assert not beside & adult
        seen |= beside
    assert seen & adult


def test_the_api_tells_the_same(client: FlaskClient, held: Library) -> None:
    response = client.get(f"/api/v1/anime/{ONE}")
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    body = response.json
    assert body is not None
    assert body["title"] == f"Anime no. {ONE}"
    at = int(np.searchsorted(held.model.anime_id, ONE))
    assert body["in_model"]["lists"] == held.model.entry_count[at]
    assert body["in_model"]["bias"] == pytest.approx(held.model.item_bias[at], abs=1e-6)


def test_awkward_anime_have_a_page(client: FlaskClient) -> None:
    assert page(client, f"/anime/{IDS[BARE]}").one("h1").text == f"Anime no. {IDS[BARE]}"
    hostile = client.get(f"/anime/{IDS[HOSTILE]}")
    assert "<script>alert" not in hostile.text
    assert page(client, f"/anime/{IDS[HOSTILE]}").one("h1").text == HOSTILE_TITLE


def test_what_nobody_knows_is_not_found(client: FlaskClient) -> None:
    told = "Hakken knows no anime with MyAnimeList’s number 999999999: look for it by title."
    response = client.get("/anime/999999999")
    assert response.status_code == 404
    assert told in response.text
    for tail in ("", "/similar", "/for?source=anilist&username=Regular"):
        refused = client.get(f"/api/v1/anime/999999999{tail}")
        assert (refused.status_code, refused.mimetype) == (404, "application/problem+json")
        assert refused.json is not None
        assert (refused.json["type"], refused.json["detail"]) == ("/problems/unknown-anime", told)
    assert client.get(f"/anime/{10**30}").status_code == 404
    assert client.get(f"/api/v1/anime/{ONE}/similar?top=0").status_code == 400


def test_cards_lead_there(client: FlaskClient) -> None:
    results = page(client, "/user/anilist/Regular")
    for heading in results.one("ol").all("h2"):
        assert page(client, heading.one("a").attributes["href"]).one("h1").text == heading.text
