"""Every filter, on the page and in the API, against the facts of the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.facets import slugify
from app.settings import AppSettings
from app.web.services.filters import POPULAR_SHARES, popular_count, popularity_label
from app.web.state import AppState
from demo.fake_upstream import FakeUpstream
from tests.lists.scenarios import entry
from tests.models import with_catalogue
from tests.tiny_model import tiny_catalogue, tiny_ratings, write_tiny_model
from tests.web.fans import IDS, PLANNED, SCORED
from tests.web.html_page import read_html
from tests.web.test_pages import page, shown_ids

USER = "/user/anilist/Regular?n=100"
API = "/api/v1/recommendations?source=anilist&username=Regular&top=100"
FACETS = ("genres", "themes", "demographics")
FACTS = {row["anime_id"]: row for row in tiny_catalogue().to_dicts()}


def recommended(client: FlaskClient, query: str) -> list[dict[str, Any]]:
    body = client.get(f"{API}&{query}").json
    assert body is not None
    found: list[dict[str, Any]] = body["recommendations"]
    return found


def ids(client: FlaskClient, query: str) -> set[int]:
    return {item["anime_id"] for item in recommended(client, query)}


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("type=movie", lambda a: a["type"] == "MOVIE"),
        ("type=tv,ova", lambda a: a["type"] in ("TV", "OVA")),
        ("genre=sci-fi", lambda a: "Sci-Fi" in a["genres"]),
        ("genre=Comedy,romance", lambda a: a["genres"] == "Comedy;Romance"),
        ("without=drama,thriller", lambda a: not {"Drama", "Thriller"} & {*a["genres"].split(";")}),
        ("year_from=2000", lambda a: a["year"] >= 2000),
        ("year_from=1990&year_to=2005", lambda a: 1990 <= a["year"] <= 2005),
        ("max_episodes=20", lambda a: a["episodes"] <= 20),
        ("min_episodes=41&max_episodes=41", lambda a: a["episodes"] == 41),
        ("genre=mecha", lambda a: "Mecha" in a["themes"]),
        ("genre=shounen,action", lambda a: {"Shounen", "Action"} <= a["words"]),
        ("without=mecha,seinen", lambda a: not {"Mecha", "Seinen"} & a["words"]),
        ("tag=time-skip,Found Family", lambda a: "Time Skip;Found Family" in a["tags"]),
        ("without_tag=ninja", lambda a: "Ninja" not in a["tags"]),
        ("studio=madhouse,j-c-staff", lambda a: bool(a["studios"])),
        ("studio=studio-u", lambda a: "Studio Ü" in a["studios"]),
        ("material=manga,light-novel", lambda a: a["source"] in ("Manga", "Light Novel")),
        ("season=winter", lambda a: a["season"] == "winter"),
        (
            "season=fall,spring&year_from=2000",
            lambda a: a["season"] in ("fall", "spring") and a["year"] >= 2000,
        ),
    ],
)
def test_a_filter_leaves_what_it_says(
    client: FlaskClient, query: str, passes: Callable[[dict[str, Any]], bool]
) -> None:
    everything = ids(client, "")
    left = {n for n in everything if passes({**FACTS[n], **_known(n)})}
    assert 0 < len(left) < len(everything)
    assert ids(client, query) == left
    assert set(shown_ids(page(client, f"{USER}&{query}"))) == left


def _known(anime_id: int) -> dict[str, Any]:
    """An anime of which nothing is known passes no filter that looks for something."""
    facts = FACTS[anime_id]
    return {
        "year": facts["year"] or -1,
        "episodes": facts["episodes"] or 10**6,
        "words": {word for name in FACETS for word in (facts[name] or "").split(";")},
        **{name: facts[name] or "" for name in (*FACETS, "tags", "studios", "source", "season")},
    }


def check_slider(client: FlaskClient, best_known: list[int]) -> None:
    """Each position leaves in or out what stands first of the model's anime, best known first."""
    everything = ids(client, "")
    for at in range(1, 6):
        best = set(best_known[: popular_count(at, len(best_known))])
        assert ids(client, f"popularity={at}") == everything - best
        best = set(best_known[: popular_count(-at, len(best_known))])
        assert ids(client, f"popularity={-at}") == everything & best


def test_the_slider_cuts_by_members(
    anilist: FakeUpstream, settings: AppSettings, tmp_path: Path
) -> None:
    members = {anime_id: 1000 + 37 * place % 61 for place, anime_id in enumerate(IDS)}
    catalogue = tiny_catalogue().with_columns(
        members=pl.col("anime_id").replace_strict(members, return_dtype=pl.Int64)
    )
    model = write_tiny_model(tmp_path, catalogue)
    changes = {"model": str(model), "cache_dir": tmp_path / "cache"}
    client = create_app(settings.model_copy(update=changes)).test_client()
    best_known = sorted(IDS, key=lambda anime_id: -members[anime_id])
    check_slider(client, best_known)
    known = client.get(f"/api/v1/anime/{best_known[6]}").json
    assert known is not None
    assert known["in_model"]["popularity_rank"] == 7


def test_without_members_the_slider_cuts_by_lists(client: FlaskClient) -> None:
    lists = Counter(tiny_ratings()["anime_id"].to_list())
    check_slider(client, sorted(IDS, key=lambda anime_id: (-lists[anime_id], anime_id)))


def test_the_ends_of_the_slider_are_the_strictest() -> None:
    assert [popular_count(at, 10_000) for at in (-5, -1, 0, 1, 5)] == [100, 1500, 0, 100, 1500]
    assert sorted(POPULAR_SHARES) == list(POPULAR_SHARES)
    assert popularity_label(-5, 10_000) == "Only the 100 best known"
    assert popularity_label(5, 10_000) == "Without the 1,500 best known"


def test_plans_are_shown_as_wished(client: FlaskClient) -> None:
    assert not ids(client, "") & set(PLANNED)
    assert ids(client, "planned=yes") == ids(client, "") | set(PLANNED)
    assert ids(client, "planned=only") == set(PLANNED)
    assert "you already plan" not in page(client, f"{USER}&planned=yes").text


def test_what_is_hidden_is_gone_until_undone(client: FlaskClient) -> None:
    before = page(client, USER)
    first = before.one("ol").all("li")[0]
    address = next(a for a in first.all("a") if a.text.startswith("Not for me")).attributes["href"]
    after = page(client, address)
    assert shown_ids(after) == shown_ids(before)[1:]
    undo = after.one("ul", class_="chips").one("a")
    assert undo.text.startswith("Hidden: ")
    assert shown_ids(page(client, undo.attributes["href"])) == shown_ids(before)


def test_what_was_seen_counts_at_once(client: FlaskClient) -> None:
    before = recommended(client, "")
    first = before[0]["anime_id"]
    after = recommended(client, f"seen={first}:10")
    assert first not in {item["anime_id"] for item in after}
    told = {why["anime_id"] for item in after for why in item["because"]}
    assert first in told
    worse = recommended(client, f"seen={first}:1")
    assert [i["match"] for i in after] != [i["match"] for i in worse]


def test_the_form_says_what_is_on_and_leads_to_a_short_address(client: FlaskClient) -> None:
    query = "type=tv&without=drama&year_to=2020&popularity=2&new_series=1&hide=1&order=discover"
    results = page(client, f"{USER}&{query}")
    form = results.one("form", id="again")
    fields: list[tuple[str, str]] = []
    for field in form.all("input"):
        kind, own = field.attributes.get("type"), field.attributes
        if kind != "checkbox" or "checked" in own:
            fields.append((own["name"], own.get("value", "")))
    for select in form.all("select"):
        (chosen,) = [o for o in select.all("option") if "selected" in o.attributes]
        fields.append((select.attributes["name"], chosen.attributes["value"]))
    response = client.get(form.attributes["action"], query_string=fields)
    assert response.status_code == 303
    (path, _, sent) = response.location.partition("?")
    assert path == form.attributes["action"] == "/user/anilist/Regular"
    assert set(sent.split("&")) == {*query.split("&"), "n=100"}


def test_each_filter_can_be_taken_off(client: FlaskClient) -> None:
    results = page(client, f"{USER}&type=tv&genre=drama,comedy&max_episodes=30")
    links = {
        a.text.split(" (")[0]: a.attributes["href"]
        for a in results.all("ul", class_="chips")[0].all("a")
    }
    assert links == {
        "Type: TV": "/user/anilist/Regular?n=100&genre=drama,comedy&max_episodes=30",
        "Drama": "/user/anilist/Regular?n=100&type=tv&genre=comedy&max_episodes=30",
        "Comedy": "/user/anilist/Regular?n=100&type=tv&genre=drama&max_episodes=30",
        "At most 30 episodes": "/user/anilist/Regular?n=100&type=tv&genre=drama,comedy",
    }


def test_when_nothing_is_left_it_says_what_to_relax(client: FlaskClient) -> None:
    query = "type=tv&genre=sci-fi&year_to=1900"
    results = page(client, f"{USER}&{query}")
    assert results.one("h2").text == "Nothing passes all of these filters."
    (relax,) = results.one("section", class_="nothing").all("a")
    count = len(ids(client, "type=tv&genre=sci-fi"))
    assert relax.text.startswith(f"Up to 1900: {count} titles without it")
    assert len(shown_ids(page(client, relax.attributes["href"]))) == count
    body = client.get(f"{API}&{query}").json
    assert body is not None
    assert body["relax"] == [
        {"options": ["year_from", "year_to"], "label": "Up to 1900", "would_show": count}
    ]


def test_behind_the_last_page_no_filter_is_to_blame(client: FlaskClient) -> None:
    results = page(client, f"{USER}&type=tv&offset=90")
    (back,) = results.one("p", class_="nothing").all("a")
    assert "offset" not in back.attributes["href"]
    assert shown_ids(page(client, back.attributes["href"]))
    body = client.get(f"{API}&type=tv&offset=90").json
    assert body is not None
    assert (body["recommendations"], "relax" in body) == ([], False)


def test_what_to_relax_leads_to_the_first_page(client: FlaskClient) -> None:
    query = "type=tv&year_to=1900&offset=90"
    (relax,) = page(client, f"{USER}&{query}").one("section", class_="nothing").all("a")
    count = len(shown_ids(page(client, relax.attributes["href"])))
    body = client.get(f"{API}&{query}").json
    assert body is not None
    assert [each["would_show"] for each in body["relax"]] == [count]


def test_when_taking_one_off_is_not_enough_all_can_go(client: FlaskClient) -> None:
    results = page(client, f"{USER}&type=music&year_from=2090&hide={SCORED[0]}")
    (clear,) = results.one("section", class_="nothing").all("a")
    assert clear.attributes["href"] == f"{USER}&hide={SCORED[0]}"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("genre=cooking", "“genre” should be genres that Hakken knows, such as "),
        ("without=cooking", "“without” should be genres that Hakken knows, such as "),
        ("genre=mehca", "“genre” should be genres that Hakken knows: did you mean Mecha?"),
        ("studio=スタジオジブリ", "“studio” should be studios that Hakken knows, such as "),
        ("tag=time-skips", "“tag” should be tags that Hakken knows: did you mean Time Skip?"),
        ("without_tag=zzz", "“without_tag” should be tags that Hakken knows, such as Ninja, "),
        ("studio=madhaus", "“studio” should be studios that Hakken knows: did you mean Madhouse?"),
        ("material=mango", "“material” should be source materials that Hakken knows: did you"),
        ("season=autumn", "“season” should be some of winter, spring, summer, fall"),
        ("rating=rx", "“rating” should be one of g, pg, pg13, r17, rplus"),
        ("min_score=11", "“min_score” should be a number from 1 to 10"),
    ],
)
def test_what_nobody_can_ask_for_is_named(client: FlaskClient, query: str, told: str) -> None:
    response = client.get(f"{USER}&{query}")
    assert response.status_code == 400
    assert read_html(response.text).one("p", id="problem").text.startswith(told)
    refused = client.get(f"{API}&{query}")
    assert (refused.status_code, refused.json and refused.json["detail"][:20]) == (400, told[:20])


def test_a_least_score_leaves_out_what_would_get_less(client: FlaskClient) -> None:
    everything = {item["anime_id"]: item["predicted_score"] for item in recommended(client, "")}
    middle = sorted(everything.values())[len(everything) // 2]
    least = round(middle, 2)
    left = {n for n, score in everything.items() if score >= least}
    assert 0 < len(left) < len(everything)
    # A title whose predecessor is too bad is no longer kept back by it.
    found = recommended(client, f"min_score={least}")
    assert left <= {item["anime_id"] for item in found}
    assert all(item["predicted_score"] >= least for item in found)
    shown = page(client, f"{USER}&min_score={least}")
    assert shown.one("ul", class_="chips").one("a").text.startswith(f"You would give it {least:g}")
    nothing = page(client, f"{USER}&min_score=10&type=tv")
    labels = [a.text for a in nothing.one("section", class_="nothing").all("a")]
    assert any(label.startswith("You would give it 10 or more: ") for label in labels)


def test_every_choice_says_how_many_titles_have_it(app: Flask, client: FlaskClient) -> None:
    held: AppState = app.extensions["hakken"]
    assert held.library is not None
    shown = set(held.library.model.anime_id[held.library.non_adult].tolist())
    form = page(client, USER).one("form", id="again")
    told = {
        box.one("input").attributes["value"]: box.text
        for box in form.all("label", class_="box")
        if box.one("input").attributes["name"] in ("genre", "material", "season")
    }
    words = [word for n in shown for name in FACETS for word in (FACTS[n][name] or "").split(";")]
    words += [FACTS[n][name] for n in shown for name in ("source", "season")]
    counts = Counter(slugify(word) for word in words if word)
    assert counts["mecha"] > 10
    assert {slug: int(text.split()[-2]) for slug, text in told.items()} == counts
    assert "hentai" not in told
    suggested = {each.attributes["value"] for each in form.one("datalist", id="tags").all("option")}
    assert suggested == {"Time Skip", "Found Family", "Ninja", "CGI"}


def test_what_is_typed_is_added_to_what_is_chosen(client: FlaskClient) -> None:
    address = "/user/anilist/Regular?apply=1&tag=time-skip&tag=Found+Family&studio=Studio+%C3%9C"
    response = client.get(address)
    assert response.location == "/user/anilist/Regular?tag=time-skip,found-family&studio=studio-u"
    shown = page(client, response.location)
    form = shown.one("form", id="again")
    assert [
        box.attributes["value"]
        for box in form.all("input", name="tag")
        if "checked" in box.attributes
    ] == ["found-family", "time-skip"]


def test_what_too_few_anime_are_known_by_is_not_offered(
    tiny_model: Path, anilist: FakeUpstream, tmp_path: Path
) -> None:
    catalogue = tiny_catalogue().with_columns(
        pl.when(pl.col("anime_id") == IDS[20]).then(pl.col(name)).alias(name)
        for name in ("tags", "studios", "season", "year")
    )
    settings = AppSettings(
        model=str(with_catalogue(tiny_model, catalogue, tmp_path / "model")),
        anilist_url=anilist.base_url("anilist"),
        cache_dir=tmp_path / "cache",
        limits=False,
        list_grace=120,
    )
    client = create_app(settings).test_client()
    names = {
        field.attributes["name"]
        for field in page(client, USER).one("form", id="again").all("input")
    }
    assert names >= {"genre", "material", "type", "min_score"}
    assert not names & {"tag", "without_tag", "studio", "season", "year_from"}
    refused = client.get(f"{API}&tag=ninja")
    assert refused.json is not None
    assert refused.json["detail"] == (
        "“tag” cannot be asked for here: too few anime have known tags."
    )
    described = client.get("/api/v1/openapi.json").json
    assert described is not None
    body = described["components"]["schemas"]["Body"]["properties"]
    assert (body["tag"]["maxItems"], body["season"]["maxItems"]) == (0, 0)
    assert "mecha" in described["components"]["schemas"]["Genre"]["enum"]


def test_a_body_takes_the_same_options(client: FlaskClient) -> None:
    rows = [{"anime_id": n, "score": 8} for n in SCORED]
    body = {"list": rows, "top": 100, "type": ["movie"], "genre": ["Drama"], "seen": ["5:8"]}
    answer = client.post("/api/v1/recommendations", json=body | {"hide": [IDS[0]]})
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    found = answer.json["recommendations"]
    assert found
    assert all(item["type"].upper() == "MOVIE" and "Drama" in item["genres"] for item in found)
    for wrong in ({"type": ["cinema"]}, {"hide": "x"}, {"seen": [[1]]}, {"year_from": "2000"}):
        refused = client.post("/api/v1/recommendations", json={"list": rows, **wrong})
        assert refused.status_code == 422, wrong


def test_what_was_dropped_may_be_no_dislike(client: FlaskClient, anilist: FakeUpstream) -> None:
    dropped = IDS[40:46]
    rows = [entry(n, n, score=9) for n in SCORED[:6]]
    anilist.add_user("Dropper", [*rows, *(entry(n, n, status="DROPPED") for n in dropped)])
    anilist.add_user("Silent", rows)
    query = "/api/v1/recommendations?source=anilist&top=100&username"
    told, ignored, without = (
        client.get(f"{query}={name}").json
        for name in ("Dropper", "Dropper&ignore_dropped=1", "Silent")
    )
    assert told is not None
    assert ignored is not None
    assert without is not None
    scores = [
        {item["anime_id"]: item["predicted_score"] for item in body["recommendations"]}
        for body in (told, ignored, without)
    ]
    assert not scores[1].keys() & set(dropped)
    assert {n: score for n, score in scores[2].items() if n not in dropped} == scores[1]
    assert scores[0] != scores[1]
    shown = page(client, "/user/anilist/Dropper?ignore_dropped=1")
    assert "What you dropped without a score is not taken for a dislike." in shown.text
    (box,) = shown.one("form", id="again").all("input", name="ignore_dropped")
    assert "checked" in box.attributes
    undo = shown.one("ul", class_="chips").one("a")
    assert undo.text.startswith("Dropped is no dislike")
    assert undo.attributes["href"] == "/user/anilist/Dropper"
