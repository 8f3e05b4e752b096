"""Series as a fan meets them: with the bundled model, on its pages and in its API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import AppSettings
from app.web.services.anime import find_anime, judge_for_fan
from app.web.services.example_lists import EXAMPLE_LIST
from app.web.state import get_library
from tests.web.html_page import read_html

BUNDLED = Path(__file__).parents[2] / "bundled_model"
RE_ZERO, KONOSUBA, OVERLORD, SHIELD_HERO, YOUJO_SENKI = 31240, 30831, 29803, 35790, 32615
ISEKAI = [RE_ZERO, KONOSUBA, OVERLORD, SHIELD_HERO, YOUJO_SENKI]
TITAN, TITAN_2, TITAN_3 = 16498, 25777, 35760
ISEKAI_FAN = {11757: 9, 37430: 9, 17265: 9, 19815: 9, 28121: 8}
ROMANCE_FAN = {9253: 9, 30: 9, 339: 9, 13601: 9, 1575: 9}
SHOUNEN_FAN = {5114: 10, 9253: 9, 11061: 10, 30276: 9, 1535: 9, 20583: 9, 32281: 9, 31964: 9}


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    settings = AppSettings(
        model=str(BUNDLED),
        cache_dir=tmp_path_factory.mktemp("cache"),
        limits=False,
        rate_lists="off",
        rate_pages="off",
    )
    return create_app(settings).test_client()


def entries(scores: dict[int, int], **further: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = [{"anime_id": n, "score": s} for n, s in scores.items()]
    return listed + [{"anime_id": int(n[1:]), "status": s} for n, s in further.items()]


def recommended(client: FlaskClient, listed: list[dict[str, Any]], **options: Any) -> Any:
    body = {"list": listed, "top": 100, **options}
    answer = client.post("/api/v1/recommendations", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json["recommendations"]


def ids(cards: list[dict[str, Any]]) -> set[int]:
    return {card["anime_id"] for card in cards}


def series(client: FlaskClient, anime_id: int) -> list[int]:
    found = client.get(f"/api/v1/anime/{anime_id}").json["series"]
    return [each["anime_id"] for each in found] or [anime_id]


def test_what_only_a_crossover_ties_is_shown_side_by_side(bundled: FlaskClient) -> None:
    assert set(ISEKAI[:4]) <= ids(recommended(bundled, entries(ISEKAI_FAN)))
    quartet = series(bundled, 38472)
    assert not {*quartet} & {*ISEKAI}
    for one in ISEKAI:
        assert not {*series(bundled, one)} & {*ISEKAI, 38472} - {one}


def test_dropping_or_hiding_one_leaves_the_others(bundled: FlaskClient) -> None:
    others = {RE_ZERO, KONOSUBA, SHIELD_HERO}
    dropped = recommended(bundled, entries(ISEKAI_FAN, **{f"n{OVERLORD}": "dropped"}))
    assert others <= ids(dropped)
    assert not ids(dropped) & {*series(bundled, OVERLORD)}
    hidden = recommended(bundled, entries(ISEKAI_FAN), hide=[KONOSUBA])
    assert others - {KONOSUBA} <= ids(hidden)
    assert not ids(hidden) & {*series(bundled, KONOSUBA)}
    new = recommended(bundled, entries({**ISEKAI_FAN, KONOSUBA: 9}), new_series=True)
    assert others - {KONOSUBA} <= ids(new)


SPIN_OFFS = {918: 54757, 31478: 42250, 37141: 41694, 11757: 36475, 356: 14829, 603: 7645}
"""A series -> a spin-off or another telling, which is a series of its own."""


@pytest.mark.parametrize("seen", SPIN_OFFS)
def test_who_asks_for_new_series_gets_no_spin_off(bundled: FlaskClient, seen: int) -> None:
    other = SPIN_OFFS[seen]
    year = bundled.get(f"/api/v1/anime/{other}").json["year"]

    def shown(**options: bool) -> set[int]:
        asked = {"year_from": year, "year_to": year, "type": ["tv"], **options}
        return ids(recommended(bundled, entries({seen: 10}), **asked))

    assert other not in series(bundled, seen)
    assert other in shown()
    assert other not in shown(new_series=True)


def test_a_dropped_visitor_takes_nothing_else_away(bundled: FlaskClient) -> None:
    """Nisekoi, Bakemonogatari and Madoka once stood as one series."""
    listed = recommended(bundled, entries(ROMANCE_FAN))
    without = recommended(bundled, entries(ROMANCE_FAN, n18897="dropped"))
    tied = {9756, 5081}
    assert ids(listed) & tied == ids(without) & tied != set()


def test_no_two_of_a_series_and_none_that_was_disliked(bundled: FlaskClient) -> None:
    cards = recommended(bundled, entries({**SHOUNEN_FAN, 22319: 8, TITAN: 1}))
    titan = {*series(bundled, TITAN)}
    assert not ids(cards) & titan, "scored 1, where the mean is 8.4"
    for card in cards:
        others = {*series(bundled, card["anime_id"])} - {card["anime_id"]}
        assert not others & ids(cards), card["title"]
    liked = recommended(bundled, entries({**SHOUNEN_FAN, TITAN: 1, TITAN_2: 10}))
    assert ids(liked) & titan == {TITAN_3}, "but a later part was liked"


def test_only_what_goes_on_with_what_was_liked(bundled: FlaskClient) -> None:
    fan = {**SHOUNEN_FAN, TITAN: 9}
    found = recommended(bundled, entries(fan), continues=True)
    assert {card["anime_id"] for card in found} >= {TITAN_2}
    assert all(card["follows"] for card in found)
    everything = recommended(bundled, entries(fan))
    assert {c["anime_id"] for c in everything if c["follows"]} <= {c["anime_id"] for c in found}


def test_a_card_says_what_it_comes_next_after(bundled: FlaskClient) -> None:
    cards = {
        card["anime_id"]: card
        for card in recommended(bundled, entries({**SHOUNEN_FAN, TITAN: 9}), partial=True)
    }
    assert cards[TITAN_2]["follows"] == {
        "anime_id": TITAN,
        "title": "Shingeki no Kyojin",
        "relation": "sequel",
    }
    assert {cards[n]["follows"] for n in (22319, 20507)} == {None}, "of no series that was seen"
    picks = ".".join(f"{n}-{score}" for n, score in {**SHOUNEN_FAN, TITAN: 9}.items())
    page = bundled.get(f"/picks/{picks}?n=50").text
    said = [each.text for each in read_html(page).all("span", class_="next")]
    assert "Next after Shingeki no Kyojin , which you finished" in said
    assert len(said) == sum(card["follows"] is not None for card in list(cards.values())[:50])
    disliked = recommended(bundled, entries({**SHOUNEN_FAN, TITAN: 9, TITAN_2: 7}))
    assert {card["follows"] for card in disliked if card["anime_id"] == TITAN_3} <= {None}


def test_a_page_says_what_an_anime_is_to_another(bundled: FlaskClient) -> None:
    page = read_html(bundled.get(f"/anime/{TITAN_2}").text).text
    assert "Sequel of Shingeki no Kyojin" in page
    told = bundled.get(f"/api/v1/anime/{TITAN_2}").json
    assert told["relation_to"]["relation"] == "sequel"
    seasons = [each for each in told["series"] if not each["extra"]]
    order = [each["anime_id"] for each in seasons if each["type"] == "TV" and not each["inferred"]]
    assert order == [TITAN, TITAN_2, TITAN_3, 38524, 40028, 48583]
    assert "sequel of Shingeki no Kyojin Season 2" in page
    assert bundled.get("/api/v1/anime/199").json["series"] == [], "Spirited Away stands alone"


def told_on_page(client: FlaskClient, anime_id: int) -> dict[str, str]:
    """Return what an anime's page says over others of its series: the words, and which."""
    tiles = [
        (said.text, tile.attributes["data-anime"])
        for tile in read_html(client.get(f"/anime/{anime_id}").text).all("li", class_="tile")
        for said in tile.all("p", class_="when")
    ]
    return dict(tiles)


ONE_PIECE, HUNTER, VINLAND, SPICE, JOJO, CLANNAD, NANOHA = 21, 11061, 37521, 2966, 14719, 2167, 76


@pytest.mark.parametrize("begins", [ONE_PIECE, HUNTER, VINLAND, SPICE, JOJO, CLANNAD, NANOHA])
def test_a_series_begins_with_what_its_fans_began_with(bundled: FlaskClient, begins: int) -> None:
    """Not with a pilot, a cross-over of old, or a season that nobody could see yet."""
    others = [other for other in series(bundled, begins) if other != begins]
    assert "Start here" not in told_on_page(bundled, begins)
    assert told_on_page(bundled, others[-1])["Start here"] == str(begins)


HAIKYUU, HAIKYUU_2, MADOKA, MADOKA_FILM = 20583, 28891, 9756, 11977
VENTO_AUREO, STONE_OCEAN, LOGH, LOGH_FILM = 37991, 48661, 820, 3014


@pytest.mark.parametrize(
    ("anime_id", "following"),
    [(HAIKYUU, HAIKYUU_2), (MADOKA, MADOKA_FILM), (VENTO_AUREO, STONE_OCEAN)],
)
def test_what_comes_next_is_what_its_fans_went_on_with(
    bundled: FlaskClient, anime_id: int, following: int
) -> None:
    """Not a picture drama, an advert or the pilot of another part."""
    assert told_on_page(bundled, anime_id)["Next after this"] == str(following)


def test_a_film_of_old_is_still_the_beginning(bundled: FlaskClient) -> None:
    assert told_on_page(bundled, LOGH)["Start here"] == str(LOGH_FILM)


def test_one_that_is_asked_for_has_its_place_and_its_series(bundled: FlaskClient) -> None:
    picks = (bundled.get("/example?format=json&n=100").json or {})["recommendations"]
    assert any(pick["more_of_franchise"] for pick in picks)
    with bundled.application.app_context():
        library = get_library()
        for pick in picks[::10]:
            anime, position = find_anime(library, pick["anime_id"])
            found = judge_for_fan(library, anime, position, EXAMPLE_LIST, "").recommendation
            assert found is not None
            for name in ("rank", "more_of_franchise"):
                assert getattr(found, name) == pick[name]
