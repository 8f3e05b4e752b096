"""Is this anime for this fan? The same as among the recommendations for the list."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.fans import PLANNED, SCORED
from tests.web.html_page import read_html

FAN = {"source": "anilist", "username": "Regular"}


def told(client: FlaskClient, anime_id: int, **query: str) -> Any:
    answer = client.get(f"/api/v1/anime/{anime_id}/for", query_string={**FAN, **query})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    return answer.json


def test_it_is_told_as_among_the_recommendations(client: FlaskClient) -> None:
    found = client.get("/api/v1/recommendations", query_string={**FAN, "top": 100}).json
    assert found is not None
    picks = found["recommendations"]
    assert len(picks) >= 30
    for item in picks[::5]:
        answer = told(client, item["anime_id"])
        assert (answer["seen"], answer["own_score"], answer["personal"]) == (False, None, True)
        assert answer["recommendation"] == item
    planned = told(client, PLANNED[0])
    assert planned["planned"]
    place = planned["recommendation"]["rank"]
    keys = [each["match"] + each["moved_by"] for each in (planned["recommendation"], *picks)]
    assert place == 1 + sum(key > keys[0] for key in keys[1:])
    assert 1 < place <= len(picks)


def test_what_was_seen_is_said_to_be(client: FlaskClient) -> None:
    answer = told(client, SCORED[0])
    assert (answer["seen"], answer["own_score"]) == (True, 10.0)
    assert answer["recommendation"] is None
    shown = read_html(client.get(f"/anime/{SCORED[0]}/for", query_string=FAN).text)
    section = shown.one("section", class_="for-you")
    assert "It is on the list already, scored 10" in section.text


def test_the_page_says_it_with_reasons(client: FlaskClient) -> None:
    found = client.get("/api/v1/recommendations", query_string=FAN).json
    assert found is not None
    best = found["recommendations"][0]
    response = client.get(f"/anime/{best['anime_id']}/for", query_string=FAN)
    assert response.headers["Cache-Control"] == "private, no-store"
    shown = read_html(response.text)
    assert shown.one("meta", name="robots").attributes["content"] == "noindex"
    section = shown.one("section", class_="for-you")
    assert section.one("h2").text == "Is it for Regular ?"
    assert f"{round(best['match_percentile'])} %" in section.text
    assert f"Regular would give it {best['expected_score']:.1f}" in section.text
    assert [each.text for each in section.all("cite")] == [b["title"] for b in best["because"]]
    plain = read_html(client.get(f"/anime/{best['anime_id']}").text)
    form = plain.one("section", class_="for-you").one("form")
    assert form.attributes["action"].startswith(f"/anime/{best['anime_id']}/for")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"source": "anilist", "username": "Nobody99"}, 404),
        ({"source": "nowhere", "username": "Regular"}, 400),
        ({"source": "anilist"}, 400),
    ],
)
def test_trouble_is_told_as_everywhere(
    client: FlaskClient, query: dict[str, str], status: int
) -> None:
    assert client.get(f"/api/v1/anime/{SCORED[0]}/for", query_string=query).status_code == status
    assert client.get(f"/anime/{SCORED[0]}/for", query_string=query).status_code == status
    assert client.get("/api/v1/anime/999999999/for", query_string=FAN).status_code == 404


def test_a_list_that_says_nothing_is_told_so(client: FlaskClient) -> None:
    answer = told(client, SCORED[0], username="OnlyPlans")
    assert not answer["personal"]
    page = client.get(f"/anime/{SCORED[0]}/for", query_string={**FAN, "username": "OnlyPlans"}).text
    assert "The list says nothing yet to tell by." in page
