"""Romanised, English or native titles: on every page that names anime, in files, and in the API."""

from __future__ import annotations

import csv
import io
import json

import pytest
from flask.testing import FlaskClient

from app.catalogue import Anime, TitleLanguage
from tests.tiny_model import tiny_catalogue, title_of
from tests.web.fans import IDS, SCORED, regular_export
from tests.web.html_page import Element, read_html
from tests.web.test_pages import page
from tests.web.test_upload import send

ROWS = tiny_catalogue().to_dicts()
ENGLISH = {row["anime_id"]: row["title_english"] or row["title"] for row in ROWS}
NATIVE = {row["anime_id"]: row["title_native"] or row["title"] for row in ROWS}
USER = "/user/anilist/Regular"


def cards(shown: Element) -> dict[str, str]:
    """The address and the title of every card."""
    links = [
        card.one("h2").one("a")
        for card in shown.one("ol", class_="cards").all("li")
        if "card" in card.attributes.get("class", "")
    ]
    return {link.attributes["href"]: link.text for link in links}


def switches(shown: Element) -> dict[str, str]:
    """What titles can be changed to, and where."""
    return {link.text: link.attributes["href"] for link in shown.all("a", class_="titles")}


@pytest.mark.parametrize("language", ["english", "native"])
@pytest.mark.parametrize(
    "address", [USER, f"/picks/{SCORED[0]}-9", "/together/example", "/example"]
)
def test_cards_are_called_by_the_titles_asked_for(
    client: FlaskClient, address: str, language: str
) -> None:
    names = {"english": ENGLISH, "native": NATIVE}[language]
    shown = page(client, f"{address}?title={language}")
    told = cards(shown)
    assert told == {f"/anime/{n}?title={language}": names[n] for n in map(_id, told)}
    assert all(told == title_of(_id(link)) for link, told in cards(page(client, address)).items())
    others = {"romaji": "Romaji titles", "english": "English titles", "native": "Japanese titles"}
    del others[language]
    assert switches(shown) == {
        label: address if other == "romaji" else f"{address}?title={other}"
        for other, label in others.items()
    }
    assert cards(page(client, address)).keys().isdisjoint(told)


@pytest.mark.parametrize("address", [f"{USER}?title=native", "/example?lang=ja", "/?title=native"])
def test_native_titles_are_marked_as_japanese(client: FlaskClient, address: str) -> None:
    shown = page(client, address)
    titled = [e for kind in ("h2", "h3", "cite", "legend") for e in shown.all(kind)]
    native = [each for each in titled if each.text in NATIVE.values() and "番" in each.text]
    assert len(native) > 10
    assert {each.attributes.get("lang") for each in native} == {"ja"}
    romaji = [each for each in titled if each.text in NATIVE.values() and "番" not in each.text]
    assert romaji
    assert {each.attributes.get("lang") for each in romaji} == {None}


def test_who_reads_japanese_sees_native_titles_unless_others_are_chosen(
    client: FlaskClient,
) -> None:
    shown = page(client, f"{USER}?lang=ja")
    told = cards(shown)
    assert told == {f"/anime/{n}": NATIVE[n] for n in map(_id, told)}
    romaji, english = switches(shown).values()
    assert romaji == f"{USER}?title=romaji"
    told = cards(page(client, romaji))
    assert told == {f"/anime/{n}?title=romaji": title_of(n) for n in map(_id, told)}
    assert all(
        form.one("input", name="title") for form in page(client, "/?title=romaji").all("form")
    )
    assert english == f"{USER}?title=english"
    assert cards(page(client, "/user/anilist/Regular?lang=en")) == {
        link.partition("?")[0]: title for link, title in told.items()
    }


def _id(address: str) -> int:
    return int(address.partition("?")[0].removeprefix("/anime/"))


def test_the_other_title_stands_below(client: FlaskClient) -> None:
    for card in page(client, f"{USER}?title=english").one("ol").all("li"):
        romaji = title_of(_id(card.one("h2").one("a").attributes["href"]))
        below = [p.text for p in card.all("p", class_="other-title")]
        same = card.one("h2").text.casefold() == romaji.casefold()
        assert below == ([] if same else [romaji])


def test_reasons_and_marks_are_in_the_same_language(client: FlaskClient) -> None:
    odd = next(n for n in IDS if ENGLISH[n].startswith("English") and n not in SCORED)
    shown = page(client, f"{USER}?title=english&hide={odd}")
    assert f"Hidden: English {odd}" in shown.one("ul", class_="chips").text
    reasons = [cite.text for p in shown.all("p", class_="because") for cite in p.all("cite")]
    assert reasons
    assert set(reasons) <= set(ENGLISH.values())


def test_files_and_the_api_follow(client: FlaskClient) -> None:
    table = client.get(f"{USER}?title=english&format=csv").data.decode("utf-8-sig")
    for line in csv.DictReader(io.StringIO(table, newline="")):
        assert line["title"] == ENGLISH[int(line["anime_id"])]
    rows = [{"anime_id": n, "score": 8} for n in SCORED]
    for language, names in (("english", ENGLISH), ("native", NATIVE)):
        answer = client.post("/api/v1/recommendations", json={"list": rows, "title": language})
        assert answer.json is not None
        for item in answer.json["recommendations"]:
            assert item["title"] == names[item["anime_id"]]
            assert all(why["title"] == names[why["anime_id"]] for why in item["because"])


def test_files_from_a_japanese_page_have_its_titles(client: FlaskClient) -> None:
    links = {a.text: a.attributes["href"] for a in page(client, f"{USER}?lang=ja").all("a")}
    address = next(each for each in links.values() if "format=csv" in each)
    assert address == f"{USER}?format=csv&lang=ja"
    client.delete_cookie("lang")
    table = client.get(address).data.decode("utf-8-sig")
    for line in csv.DictReader(io.StringIO(table, newline="")):
        assert line["title"] == NATIVE[int(line["anime_id"])]


def test_an_anime_s_page_keeps_the_language(client: FlaskClient) -> None:
    one = next(n for n in IDS[12:] if ENGLISH[n].startswith("English"))
    shown = page(client, f"/anime/{one}?title=english")
    assert shown.one("h1").text == f"English {one}"
    assert shown.one("title").text == f"English {one} – Hakken"
    inside = [a for ol in shown.all("ol", class_="cards") for a in ol.all("a")]
    assert inside
    assert {a.attributes["href"]: a.text for a in inside} == {
        f"/anime/{n}?title=english": ENGLISH[n] for n in (_id(a.attributes["href"]) for a in inside)
    }
    assert switches(shown)["Romaji titles"] == f"/anime/{one}"
    assert page(client, f"/anime/{one}").one("h1").text == title_of(one)


def test_picking_keeps_the_language(client: FlaskClient) -> None:
    one = next(n for n in IDS if ENGLISH[n].startswith("English"))
    shown = page(client, f"/pick?q=anime&picks={one}-9&title=english")
    assert all(form.one("input", name="title") for form in shown.all("form"))
    picked = shown.one("section", class_="picked")
    assert picked.one("h3").text == f"English {one}"
    links = {a.text: a.attributes["href"] for a in shown.all("a")}
    assert links["Show what to watch next"] == f"/picks/{one}-9?title=english"
    assert links["Romaji titles"] == f"/pick?picks={one}-9&q=anime"
    added = client.get(f"/pick?picks={one}-9&add={SCORED[0]}&score=7&title=english")
    assert added.location.endswith("&title=english")


def test_forms_carry_it_on_without_scripts(client: FlaskClient) -> None:
    back = page(client, f"{USER}?title=english").one("a", class_="top-link").attributes["href"]
    home = page(client, back)
    assert all(form.one("input", name="title") for form in home.all("form"))
    assert not any(form.all("input", name="title") for form in page(client, "/").all("form"))
    found = client.get("/recommend?source=anilist&username=Regular&title=english")
    assert found.location == f"{USER}?title=english"


def test_an_upload_s_picks_can_be_switched(client: FlaskClient) -> None:
    shown = read_html(send(client, regular_export()).text)
    carried = shown.one("input", name="list").attributes["value"]
    switch = shown.all("button", class_="titles")[0]
    choice = switch.attributes["value"].replace("%3D", "=")
    assert (switch.text, choice) == ("English titles", "title=english")
    english = read_html(client.post("/upload", data={"list": carried, "choice": choice}).text)
    assert set(cards(english).values()) <= set(ENGLISH.values())
    assert (
        english.one("form", id="again").one("input", name="title").attributes["value"] == "english"
    )


def test_there_are_three_languages(client: FlaskClient) -> None:
    for address in (USER, f"/anime/{IDS[0]}", "/pick", "/together", "/"):
        shown = page(client, f"{address}?title=klingon", 400)
        assert "“title” should be one of romaji, english, native:" in shown.text
    refused = client.post(
        "/api/v1/recommendations",
        data=json.dumps({"list": [], "title": "x"}),
        content_type="application/json",
    )
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("romaji", "english", "told"),
    [
        ("Mushishi", "Mushi-Shi", None),
        ("Doraemon", "Doraemonn", None),
        ("Haikyuu!! 2", "Haikyuu!! 3", "Haikyuu!! 3"),
        ("Shingeki no Kyojin", "Attack on Titan", "Attack on Titan"),
    ],
)
def test_a_title_that_differs_by_a_letter_is_not_told_twice(
    romaji: str, english: str, told: str | None
) -> None:
    anime = Anime(1, romaji, title_english=english)
    assert anime.other_title == told


@pytest.mark.parametrize(
    ("language", "shown", "below"),
    [
        (TitleLanguage.NATIVE, "進撃の巨人", "Shingeki no Kyojin"),
        (TitleLanguage.ENGLISH, "Attack on Titan", "Shingeki no Kyojin"),
        (TitleLanguage.ROMAJI, "Shingeki no Kyojin", "Attack on Titan"),
    ],
)
def test_another_title_is_told_beside_the_one_shown(
    language: TitleLanguage, shown: str, below: str
) -> None:
    anime = Anime(1, "Shingeki no Kyojin", "Attack on Titan", "進撃の巨人").called(language)
    assert (anime.title, anime.other_title) == (shown, below)
    unnamed = Anime(1, "Shingeki no Kyojin").called(language)
    assert (unnamed.title, unnamed.other_title) == ("Shingeki no Kyojin", None)
