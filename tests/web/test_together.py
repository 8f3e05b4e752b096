"""Two fans on the page and in the API, against what each is told alone."""

from __future__ import annotations

import csv
import io
import logging
import math
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.lists import ListSource
from app.lists.entry import AnimeList
from app.lists.errors import UnknownUser
from app.lists.usernames import UsernameRule
from app.web.presenters.pair_page import display_names
from app.web.services.pair_recommendations import PairListError, fetch_pair_lists
from app.web.services.user_lists import UserRef
from demo.fake_upstream import FakeUpstream
from tests.lists import scenarios
from tests.lists.scenarios import entry
from tests.tiny_model import EXPLICIT, FLAGGED
from tests.web.fans import IDS, PLANNED, SCORED
from tests.web.html_page import Element, read_html
from tests.web.test_pages import page

PAIR = "/together/anilist/Regular/anilist/Second"
API = "/api/v1/together?source=anilist&username=Regular&with_source=anilist&with_username=Second"
LIKED, OTHERS = SCORED[4:], IDS[40:46]


@pytest.fixture(autouse=True, scope="module")
def _second(anilist: FakeUpstream) -> None:
    """A fan who shares eight scored titles with Regular, and plans one that Regular plans, too."""
    rows = [entry(n, n, score=3 + 2 * (place % 4)) for place, n in enumerate(LIKED)]
    rows += [entry(n, n, score=9) for n in OTHERS]
    anilist.add_user("Second", [*rows, entry(PLANNED[0], PLANNED[0], status="PLANNING")])
    anilist.add_user("Two", [entry(n, n, score=8) for n in SCORED[:2]])


def body_of(client: FlaskClient, address: str) -> dict[str, Any]:
    response = client.get(address)
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)
    return response.json


def card_ids(shown: Element) -> list[int]:
    links = [card.one("h2").one("a") for card in shown.all("li", class_="card")]
    return [int(link.attributes["href"].split("?")[0].removeprefix("/anime/")) for link in links]


def alone(client: FlaskClient, name: str) -> dict[int, dict[str, Any]]:
    query = f"source=anilist&username={name}&top=100&planned=yes"
    found = body_of(client, f"/api/v1/recommendations?{query}")["recommendations"]
    return {item["anime_id"]: item for item in found}


def test_both_are_told_what_each_would_be_told_alone(client: FlaskClient) -> None:
    body = body_of(client, f"{API}&top=100")
    one, other = alone(client, "Regular"), alone(client, "Second")
    assert {item["anime_id"] for item in body["recommendations"]} == one.keys() & other.keys()
    for item in body["recommendations"]:
        both = [each[item["anime_id"]] for each in (one, other)]
        assert [fan["match"] for fan in item["fans"]] == [each["match"] for each in both]
        assert [fan["predicted_score"] for fan in item["fans"]] == [
            each["predicted_score"] for each in both
        ]
        low = min(each["match"] for each in both)
        joint = math.sqrt(both[0]["match"] * both[1]["match"]) if low > 0 else low
        assert item["match"] == pytest.approx(joint, abs=1e-5)
    matches = [item["match"] for item in body["recommendations"]]
    assert matches == sorted(matches, reverse=True)
    planned = {
        item["anime_id"]: [fan["planned"] for fan in item["fans"]]
        for item in body["recommendations"]
    }
    assert planned[PLANNED[0]] == [True, True]
    assert planned[PLANNED[1]] == [True, False]


def test_the_page_says_the_same(client: FlaskClient) -> None:
    body = body_of(client, API)
    shown = page(client, PAIR)
    assert shown.one("h1").text == "What Regular and Second would both enjoy"
    cards = shown.one("ol", class_="cards").all("li", class_="card")
    assert [card.attributes["id"] for card in cards] == [f"rank-{n}" for n in range(1, 21)]
    for card, item in zip(cards, body["recommendations"], strict=True):
        (one, other) = card.one("ul", class_="halves").all("li")
        for told, name, fan in zip((one, other), ("Regular", "Second"), item["fans"], strict=True):
            match = min(99, max(1, round(fan["match"])))
            wanted = f"{name} : {match} %, score {fan['predicted_score']:.1f}"
            assert told.text == wanted + (", planned" if fan["planned"] else "")
    headings = [heading.text for heading in shown.all("h2")]
    assert headings[-4:] == [
        "Favourites of both",
        "Where they disagree most",
        "What Regular loved and Second has not seen",
        "What Second loved and Regular has not seen",
    ]
    for name, key in (
        ("favourites", "favourites"),
        ("disagreements", "disagreements"),
        ("for-second", "first_loved"),
        ("for-first", "second_loved"),
    ):
        assert rows(shown, name) == [each["anime_id"] for each in body[key]]
    assert body["disagreements"]
    assert set(rows(shown, "for-first")) <= {*OTHERS}
    assert rows(shown, "for-first")


def rows(shown: Element, name: str) -> list[int]:
    (section,) = [each for each in shown.all("section") if name in each.attributes.values()]
    return [int(a.attributes["href"].removeprefix("/anime/")) for a in section.all("a")]


def test_how_alike_they_are_is_told_with_what_it_rests_on(client: FlaskClient) -> None:
    likeness = body_of(client, API)["likeness"]
    assert (likeness["both_seen"], likeness["both_scored"]) == (8, 8)
    told = page(client, PAIR).one("details", class_="taste").text
    assert "have both seen 8 titles. Both scored 8" in told
    assert f"It is {min(99, max(1, round(100 * likeness['chance'])))} % likely" in told
    assert f"lie {likeness['mean_difference']:.1f} apart on average" in told


def test_two_shared_titles_are_too_few_to_judge(client: FlaskClient) -> None:
    shown = page(client, "/together/anilist/Regular/anilist/Two")
    told = shown.one("details", class_="taste").text
    assert told.startswith("Too early to tell")
    assert "Regular and Two have both seen 2 titles. Both scored" in told
    assert "likely" not in told
    assert card_ids(shown)


def test_an_empty_list_is_a_typical_fan_s(client: FlaskClient) -> None:
    shown = page(client, f"/together/anilist/Regular/anilist/{scenarios.EMPTY_USER}")
    assert f"{scenarios.EMPTY_USER}’s list holds nothing that Hakken can use" in shown.text
    assert "typical score" in shown.one("ol", class_="cards").text
    assert f"no title that both Regular and {scenarios.EMPTY_USER} have seen" in shown.text
    nobody = page(client, f"/together/anilist/{scenarios.EMPTY_USER}/anilist/OnlyPlans")
    assert nobody.all("li", class_="card")


def test_the_form_leads_to_an_address_of_its_own(client: FlaskClient) -> None:
    form = page(client, "/together?source=anilist&name=Regular").one("form")
    fields = {each.attributes["name"]: each for each in form.all("input") + form.all("select")}
    assert set(fields) == {"username", "source", "with_username", "with_source"}
    assert fields["username"].attributes["value"] == "Regular"
    sent = "source=anilist&username=Regular&with_source=kitsu&with_username="
    second = quote("https://anilist.co/user/Second/")
    response = client.get(f"/together?{sent}{second}&title=english&order=discover")
    assert response.status_code == 303
    assert response.location == f"{PAIR}?order=discover&title=english"


@pytest.mark.parametrize(
    ("one", "other", "status", "sentence", "wrong"),
    [
        ("Nobody99", "Second", 404, "AniList has no user called Nobody99", [True, False]),
        ("Regular", "Nobody99", 404, "AniList has no user called Nobody99", [False, True]),
        (
            "Regular",
            "PrivateFan",
            403,
            "The list of PrivateFan on AniList is private",
            [False, True],
        ),
        ("Regular", "DownFan", 502, "DownFan: AniList is not working right now", [False, True]),
        ("LimitedFan", "Second", 503, "LimitedFan: AniList is getting too many", [True, False]),
        ("Nobody99", "Nobody98", 404, "AniList has no user called Nobody98", [True, True]),
    ],
)
def test_trouble_says_whose_it_is(
    client: FlaskClient, one: str, other: str, status: int, sentence: str, wrong: list[bool]
) -> None:
    shown = page(client, f"/together/anilist/{one}/anilist/{other}", status)
    assert sentence in shown.one("p", id="problem").text
    form = shown.one("form")
    names = [form.one("input", name=name) for name in ("username", "with_username")]
    assert [name.attributes["value"] for name in names] == [one, other]
    assert ["aria-invalid" in name.attributes for name in names] == wrong
    query = f"source=anilist&username={one}&with_source=anilist&with_username={other}"
    problem = client.get(f"/api/v1/together?{query}")
    assert problem.status_code == status
    assert problem.json is not None
    assert sentence in problem.json["detail"]


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("username=&with_username=Second", 400, "The first fan: No username was given"),
        ("username=Regular&with_username=", 400, "The second fan: No username was given"),
        ("username=Regular", 400, "The second fan: No username was given"),
        (
            "username=Regular&with_username=a/b",
            400,
            "a/b: That cannot be a username on MyAnimeList",
        ),
        ("username=Regular&with_username=B&with_source=x", 400, "“with_source” should be one of"),
        ("username=Regular&with_username=Second&n=0", 400, "“n” should be a whole number"),
    ],
)
def test_what_cannot_be_a_name_is_told(
    client: FlaskClient, query: str, status: int, sentence: str
) -> None:
    shown = page(client, f"/together?source=anilist&{query}", status)
    assert sentence in shown.one("p", id="problem").text


class Lists:
    """In place of a source's lists: read as the test says."""

    def __init__(self, read: Callable[..., AnimeList]) -> None:
        self.get_or_read = read


def test_both_lists_are_read_at_the_same_time() -> None:
    """Each fetch waits for the other: one after the other they would never end."""
    meeting = threading.Barrier(2, timeout=10)

    def fetch(name: str, *_: object) -> AnimeList:
        meeting.wait()
        return AnimeList("here", name, ())

    names = UsernameRule("Here", re.compile(".+"), "", (), "")
    here = ListSource("here", "Here", Lists(fetch), "", "", names)
    lists = fetch_pair_lists(UserRef(here, "A"), UserRef(here, "B"))
    assert [each.username for each in lists] == ["A", "B"]

    def fail(name: str, *_: object) -> AnimeList:
        meeting.wait()
        raise UnknownUser(source="Here", username=name)

    nowhere = ListSource("here", "Here", Lists(fail), "", "", names)
    with pytest.raises(PairListError) as caught:
        fetch_pair_lists(UserRef(nowhere, "A"), UserRef(nowhere, "B"))
    assert sorted(caught.value.list_errors) == [0, 1]


def test_no_name_is_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client.get("/together/anilist/Regular/anilist/DownFan")
        client.get("/together?username=Regular&with_username=DownFan&source=x")
    assert "GET /together/<source>/<username>/<with_source>/<with_username> 502" in caplog.text
    assert "source-down: AniList" in caplog.text
    assert "Regular" not in caplog.text
    assert "DownFan" not in caplog.text


def test_the_options_are_the_same_as_for_one(client: FlaskClient) -> None:
    everything = {i["anime_id"] for i in body_of(client, f"{API}&top=100")["recommendations"]}
    assert not everything & {IDS[FLAGGED], IDS[EXPLICIT]}
    adult = {i["anime_id"] for i in body_of(client, f"{API}&top=100&adult=1")["recommendations"]}
    assert {IDS[FLAGGED], IDS[EXPLICIT]} <= adult
    only = {i["anime_id"] for i in body_of(client, f"{API}&planned=only")["recommendations"]}
    assert only == set(PLANNED)
    films = body_of(client, f"{API}&top=100&type=movie")["recommendations"]
    assert 0 < len(films) < len(everything)
    assert {item["type"] for item in films} == {"Movie"}
    gone = films[0]["anime_id"]
    left = body_of(client, f"{API}&top=100&type=movie&hide={gone}")["recommendations"]
    assert [i["anime_id"] for i in left] == [i["anime_id"] for i in films[1:]]
    seen = body_of(client, f"{API}&top=100&seen={gone}:9")
    assert gone not in {item["anime_id"] for item in seen["recommendations"]}
    assert seen["likeness"]["both_scored"] == 9


def test_a_least_score_is_one_of_both(client: FlaskClient) -> None:
    everything = body_of(client, f"{API}&top=100")["recommendations"]
    low = {item["anime_id"]: min(f["predicted_score"] for f in item["fans"]) for item in everything}
    least = round(sorted(low.values())[len(low) // 2], 2)
    found = body_of(client, f"{API}&top=100&min_score={least}")["recommendations"]
    assert {item["anime_id"] for item in found} == {n for n in low if low[n] >= least}


def test_the_panel_works_without_scripts(client: FlaskClient) -> None:
    shown = page(client, f"{PAIR}?type=tv")
    form = shown.one("form", id="again")
    assert form.attributes["action"] == PAIR
    response = client.get(f"{PAIR}?apply=1&type=tv&planned=no&n=20&year_from=")
    assert (response.status_code, response.location) == (303, f"{PAIR}?type=tv")
    links = {a.text: a.attributes["href"] for a in shown.all("a")}
    assert links["Hidden gems"] == f"{PAIR}?order=discover&type=tv"
    assert links["Type: TV (remove this filter)"] == PAIR
    first = card_ids(shown)[0]
    hide = next(href for text, href in links.items() if text.startswith("Not for us"))
    assert hide == f"{PAIR}?type=tv&hide={first}"
    assert first not in card_ids(page(client, hide))


def test_when_nothing_is_left_it_says_what_to_relax(client: FlaskClient) -> None:
    shown = page(client, f"{PAIR}?type=tv&year_from=2099")
    (relax,) = shown.one("section", class_="nothing").all("a")
    assert card_ids(page(client, relax.attributes["href"]))
    body = body_of(client, f"{API}&type=tv&year_from=2099")
    assert body["recommendations"] == []
    assert body["relax"][0]["options"] == ["year_from", "year_to"]


def test_what_is_shown_can_be_kept(client: FlaskClient) -> None:
    shown = page(client, f"{PAIR}?n=5")
    links = {a.text: a.attributes["href"] for a in shown.one("p", class_="keep").all("a")}
    table = client.get(links["Table (CSV)"])
    lines = list(csv.DictReader(io.StringIO(table.data.decode("utf-8-sig"), newline="")))
    assert [int(line["anime_id"]) for line in lines] == card_ids(shown)
    body = body_of(client, links["Data (JSON)"])
    for line, item in zip(lines, body["recommendations"], strict=True):
        assert float(line["second_match"]) == item["fans"][1]["match"]
        assert line["first_planned"] == str(int(item["fans"][0]["planned"]))
    assert body == body_of(client, f"{API}&top=5")


def test_the_same_name_on_two_sites_is_told_apart(app: Flask) -> None:
    sources = app.extensions["hakken"].library.sources
    users = UserRef(sources["anilist"], "Regular"), UserRef(sources["kitsu"], "regular")
    lists = AnimeList("anilist", "Regular", ()), AnimeList("kitsu", None, ())
    assert display_names(lists, users) == ("Regular (AniList)", "regular (Kitsu)")


def test_unknown_sites_are_not_found(client: FlaskClient) -> None:
    assert client.get("/together/nowhere/a/anilist/b").status_code == 404
    assert client.get("/together/anilist/a/anilist").status_code == 404


def test_the_example_needs_nobody(client: FlaskClient) -> None:
    shown = page(client, "/together/example?n=3")
    assert shown.one("h1").text == "What Yuki and Ryo would both enjoy"
    assert len(shown.all("li", class_="card")) == 3


def test_other_pages_lead_there(client: FlaskClient) -> None:
    assert page(client, "/").one("main").one("a", href="/together")
    results = page(client, "/user/anilist/Regular?title=english")
    link = next(a for a in results.all("a") if a.text == "Compare with another fan")
    form = page(client, link.attributes["href"]).one("form")
    assert form.one("input", name="username").attributes["value"] == "Regular"
    assert form.one("input", name="title").attributes["value"] == "english"


def test_nobody_between_keeps_it(client: FlaskClient) -> None:
    response = client.get(PAIR)
    assert response.headers["Cache-Control"] == "private, no-store"
    assert read_html(response.text).one("meta", name="robots").attributes["content"] == "noindex"


def test_the_same_fan_twice_is_no_pair(client: FlaskClient) -> None:
    response = client.get("/together/anilist/Regular/anilist/regular")
    assert response.status_code == 400
    assert "Both fans are Regular: name another one to compare with." in response.text
    query = {"source": "anilist", "username": "Regular", "with_source": "anilist"}
    answer = client.get("/api/v1/together", query_string={**query, "with_username": "Regular"})
    assert answer.status_code == 400
