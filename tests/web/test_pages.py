from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.lists import scenarios
from tests.tiny_model import ANILIST_OFFSET, BARE, EXPLICIT, FLAGGED, HOSTILE_TITLE
from tests.web.fans import IDS, PLANNED, SCORED
from tests.web.html_page import Element, read_html


def page(client: FlaskClient, address: str, status: int = 200) -> Element:
    response = client.get(address)
    assert response.status_code == status, response.text
    assert response.mimetype == "text/html"
    return read_html(response.text)


def shown_ids(results: Element) -> list[int]:
    links = [heading.one("a").attributes["href"] for heading in results.one("ol").all("h2")]
    return [int(link.removeprefix("/anime/")) for link in links]


def test_home_offers_every_way_in(client: FlaskClient) -> None:
    home = page(client, "/")
    assert len(home.all("h1")) == 1
    by_name, by_hand, wall, by_file = home.all("form")
    assert by_name.attributes["action"] == "/recommend"
    offered = [option.attributes["value"] for option in by_name.all("option")]
    assert offered == ["myanimelist", "anilist", "kitsu", "shikimori"]
    assert by_hand.attributes["action"] == "/pick"
    assert by_file.attributes["enctype"] == "multipart/form-data"
    labels = {label.attributes["for"] for label in home.all("label")}
    assert wall.attributes["action"] == "/picks"
    fields = home.all("input") + home.all("select")
    assert {field.attributes["id"] for field in fields} == labels
    ids = {paragraph.attributes.get("id") for paragraph in home.all("p")}
    for described in (*by_name.all("input"), *by_file.all("input"), *by_hand.all("input")):
        assert set(described.attributes["aria-describedby"].split()) <= ids
    assert "forgotten within the hour" in home.text
    assert home.one("a", href="/example")


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("source=anilist&username=Regular", "/user/anilist/Regular"),
        ("username=Regular", "/user/myanimelist/Regular"),
        ("source=anilist&username=%20Regular%20", "/user/anilist/Regular"),
        ("source=anilist&username=a/b", "/user/anilist/a/b"),
        ("source=anilist&username=a%3Fb%23c", "/user/anilist/a%3Fb%23c"),
        (
            "source=nowhere&username=https://anilist.co/user/Regular/animelist",
            "/user/anilist/Regular",
        ),
        ("username=ANILIST.co/user/Regular", "/user/anilist/Regular"),
        ("source=anilist&username=R&order=score&n=40", "/user/anilist/R?n=40&order=score"),
        ("source=anilist&username=R&order=match&n=20&adult=0", "/user/anilist/R"),
    ],
)
def test_the_form_leads_to_an_address_of_its_own(
    client: FlaskClient, query: str, address: str
) -> None:
    response = client.get(f"/recommend?{query}")
    assert response.status_code == 303
    assert response.location == address


def test_results_say_whose_they_are_and_why(client: FlaskClient) -> None:
    results = page(client, "/user/anilist/regular")
    assert results.one("h1").text == "Picks for Regular"
    assert (
        results.one("h1").one("a").attributes["href"].startswith("https://anilist.co/user/Regular")
    )
    lead = results.one("p", class_="lead").text
    assert lead == "From 12 scored titles on a list of 18, read from AniList just now."
    notes = [note.text for note in results.one("ul", class_="notes").all("li")]
    assert [note.split(" could")[0] for note in notes] == [
        "3 of the 18 titles",
        "1 title",
        "Left out: 2 titles you already plan to watch.",
    ]
    cards = results.one("ol").all("li")
    assert len(cards) == 20
    ids = shown_ids(results)
    assert len(set(ids)) == 20
    assert not set(ids) & {*SCORED, *PLANNED}
    reasons = [card.one("p", class_="because").text for card in cards if "Because" in card.text]
    assert reasons
    told = r"Anime no\. \d+ (10|[6-9])"
    for reason in reasons:
        assert re.fullmatch(rf"Because you gave {told}(( , {told})? and {told})?", reason), reason
    for rank, card in enumerate(cards, 1):
        assert card.attributes["id"] == f"rank-{rank}"
        # The one of which nothing is known has no page there.
        assert ids[rank - 1] == IDS[BARE] or any(
            a.attributes["href"] == f"https://anilist.co/anime/{ids[rank - 1] + ANILIST_OFFSET}"
            for a in card.all("a")
        )
        assert re.search(r"Match [1-9]\d? % You would give it (10|[1-9])\.\d ± \d\.\d", card.text)
        # On the face one number and one reason; the rest is in the sheet.
        face = card.one("div", class_="poster").one("p", class_="number").text
        assert face == f"Match {re.search('Match ([0-9]+) %', card.text)[1]} %"  # type: ignore[index]
        assert len(card.all("p", class_="why")) == 1


def test_order_and_more_are_links(client: FlaskClient) -> None:
    results = page(client, "/user/anilist/Regular?order=score")
    links = {a.text: a.attributes for a in results.all("a")}
    assert links["Best match"]["href"] == "/user/anilist/Regular"
    assert "aria-current" not in links["Best match"]
    assert links["Predicted score"]["aria-current"] == "true"
    assert links["20 more titles"]["href"] == "/user/anilist/Regular?n=40&order=score#rank-21"
    more = page(client, "/user/anilist/Regular?n=40&order=score")
    assert shown_ids(more)[:20] == shown_ids(results)
    assert "20 more titles" not in page(client, "/user/anilist/Regular?n=100").text


def test_adult_titles_are_shown_only_when_asked_for(client: FlaskClient) -> None:
    adult = {IDS[FLAGGED], IDS[EXPLICIT]}
    assert not adult & set(shown_ids(page(client, "/user/anilist/NoScores?n=100")))
    asked = page(client, "/user/anilist/NoScores?n=100&adult=1")
    assert adult <= set(shown_ids(asked))
    undo = asked.one("ul", class_="chips").one("a")
    assert undo.text.startswith("With adult titles")
    assert undo.attributes["href"] == "/user/anilist/NoScores?n=100"
    for address, is_on in (("?adult=1", True), ("", False)):
        form = page(client, f"/user/anilist/NoScores{address}").one("form", id="again")
        (switch,) = form.all("input", name="adult")
        assert ("checked" in switch.attributes) is is_on
    assert "adult" not in page(client, "/").text.lower()


def test_few_scores_are_remarked(client: FlaskClient) -> None:
    assert "Only 3 scored titles could be used" in page(client, "/user/anilist/FewScores").text


def test_a_list_without_scores_is_answered_by_what_was_watched(client: FlaskClient) -> None:
    results = page(client, "/user/anilist/NoScores")
    assert "The list holds no scores" in results.text
    assert "Because you watched" in results.text
    assert not set(shown_ids(results)) & set(SCORED)


@pytest.mark.parametrize(
    "address", ["/user/anilist/OnlyPlans", "/user/anilist/NoScores?order=score"]
)
def test_a_list_that_says_nothing_gets_general_picks(client: FlaskClient, address: str) -> None:
    results = page(client, address)
    assert "These are general picks" in results.text
    assert "Because" not in results.text
    assert "Match" not in results.one("ol").text
    assert not set(shown_ids(results)) & set(SCORED)


def test_an_empty_list_gets_popular_picks(client: FlaskClient) -> None:
    results = page(client, f"/user/anilist/{scenarios.EMPTY_USER}")
    assert "list on AniList is empty so far" in results.text
    assert len(shown_ids(results)) == 20


def test_who_has_seen_everything_is_told_so(client: FlaskClient) -> None:
    assert "Nothing is left" in page(client, "/user/anilist/Everything").text


def test_the_example_needs_nobody(client: FlaskClient) -> None:
    results = page(client, "/example?n=3")
    assert len(shown_ids(results)) == 3
    assert {a.text: a.attributes["href"] for a in results.all("a")}["20 more titles"].startswith(
        "/example?n=23"
    )


def test_hostile_titles_are_text(client: FlaskClient) -> None:
    response = client.get("/user/anilist/NoScores?n=100")
    assert HOSTILE_TITLE in [heading.text for heading in read_html(response.text).all("h2")]
    assert "<script>alert" not in response.text


def test_the_page_ignores_what_it_does_not_know(client: FlaskClient) -> None:
    assert shown_ids(page(client, "/user/anilist/Regular?utm_source=x"))


def test_lists_may_not_be_kept_by_anyone_between(client: FlaskClient) -> None:
    response = client.get("/user/anilist/Regular")
    assert response.headers["Cache-Control"] == "private, no-store"
    assert read_html(response.text).one("meta", name="robots").attributes["content"] == "noindex"
