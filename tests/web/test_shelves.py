"""Shelves: each is a page of its own, in its order, repeats little, and has no other numbers."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from app.web.services.shelves import MIN_SHELF_MATCH
from tests.web.fans import SCORED
from tests.web.html_page import Element, read_html

FAN = "/user/anilist/Regular"


def page(client: FlaskClient, address: str) -> Element:
    response = client.get(address)
    assert response.status_code == 200, response.text
    return read_html(response.text)


def id_of(card: Element) -> int:
    (link,) = (a for a in card.all("a") if a.attributes["href"].startswith("/anime/"))
    return int(link.attributes["href"].removeprefix("/anime/"))


def numbers(cards: list[Element]) -> dict[int, str]:
    """The match on each face that has one."""
    return {
        int(card.attributes["data-anime"]): number.text
        for card in cards
        for number in card.all("p", class_="number")
    }


@pytest.fixture(scope="module")
def shelves(app: object) -> dict[str, Element]:
    client = app.test_client()  # type: ignore[attr-defined]
    return {each.one("h2").text: each for each in page(client, FAN).all("section", class_="shelf")}


def test_a_shelf_opened_whole_goes_as_it_did_but_for_what_stood_above(
    client: FlaskClient, shelves: dict[str, Element]
) -> None:
    assert len(shelves) >= 3
    above = {int(card.attributes["data-anime"]) for card in page(client, FAN).one("ol").all("li")}
    for name, shelf in shelves.items():
        tiles = shelf.one("ul").all("li")
        assert 4 <= len(tiles) <= 12
        (link,) = (a for a in shelf.all("a") if a.text.startswith("See all"))
        address = link.attributes["href"]
        whole = page(client, f"{address}&n=100").one("ol").all("li")
        ids = [int(card.attributes["data-anime"]) for card in whole]
        if not re.search("continues|year_from|planned", address):
            ids = [each for each in ids if each not in above]
        shown = [int(tile.attributes["data-anime"]) for tile in tiles]
        assert shown == ids[: len(tiles)], name
        above |= set(shown)
        found = numbers(tiles)
        assert found.items() <= numbers(whole).items(), name
        # All of a shelf have a number, or none: where the best match is no recommendation.
        best = max(int(re.findall(r"\d+", numbers(whole)[each])[0]) for each in shown)
        assert len(found) == (len(tiles) if best >= MIN_SHELF_MATCH else 0), name


def test_an_anime_has_one_number_wherever_it_stands(
    client: FlaskClient, shelves: dict[str, Element]
) -> None:
    found: dict[int, set[str]] = {}
    everywhere = [page(client, f"{FAN}?n=100").one("ol").all("li")]
    everywhere += [shelf.one("ul").all("li") for shelf in shelves.values()]
    everywhere += [page(client, f"{FAN}?type=tv&n=50").one("ol").all("li")]
    for cards in everywhere:
        for anime_id, number in numbers(cards).items():
            found.setdefault(anime_id, set()).add(number)
    assert all(len(each) == 1 for each in found.values())
    assert len(found) > 40


def test_a_shelf_named_after_a_title_is_of_something_loved(shelves: dict[str, Element]) -> None:
    named = [name for name in shelves if name.startswith("Because you loved")]
    assert 1 <= len(named) <= 2
    for name in named:
        number = int(re.findall(r"\d+", name)[-1])
        place = [f"{n}" for n in SCORED].index(f"{number}") if number in SCORED else None
        assert place is not None, name
        assert 10 - place % 5 >= 8, name


@pytest.mark.parametrize("query", ["?n=40", "?order=discover", "?type=tv", "?continues=1"])
def test_what_asks_for_something_has_no_shelves(client: FlaskClient, query: str) -> None:
    assert not page(client, FAN + query).all("section", class_="shelf")


@pytest.mark.parametrize("query", [f"?hide={SCORED[0]}", "?title=english", "?adult=1"])
def test_marks_and_the_language_keep_the_shelves(client: FlaskClient, query: str) -> None:
    assert page(client, FAN + query).all("section", class_="shelf")


def test_an_empty_list_has_no_shelves(client: FlaskClient) -> None:
    assert not page(client, "/user/anilist/OnlyPlans").all("section", class_="shelf")
