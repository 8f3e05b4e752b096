"""Picks as other programs read them: list sites, feed readers, calendars."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader

from app.catalogue import Anime
from app.lists.files import read_list_file
from app.recommender import WatchStatus
from app.recommender.artifact import Manifest
from app.schemas.recommendations import RecommendationSchema
from app.shipped import find_shipped
from app.web.presenters.takeaway import XML_FILTERS, FeedPlace, summarize_pick, to_calendar
from app.web.requests.query import Season
from app.web.services.showcase import SeasonOfYear, current_season
from app.web.state import get_library
from app.web.views import recommendations
from app.web.views.responses import NO_DATE
from tests.web.test_pages import page, shown_ids

ADDRESS = "/user/anilist/Regular"
ATOM = "{http://www.w3.org/2005/Atom}"
PLACE = FeedPlace("fan", "https://h.example/x", "/x", datetime(2026, 11, 28, tzinfo=UTC))
TITLES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | (
    st.sampled_from(["]]>", "a & <b>", "\x00\x1f", "; , \\ \n", "鋼の錬金術師" * 9])
)


XML = Environment(loader=FileSystemLoader(find_shipped("templates")), autoescape=True)
XML.filters |= XML_FILTERS


def pick(anime_id: int, title: str = "T", *, kind: str | None = "TV") -> RecommendationSchema:
    return RecommendationSchema(
        rank=1,
        anime_id=anime_id,
        title=title,
        title_english=None,
        title_native=None,
        type=kind,
        year=2026,
        episodes=None,
        anilist_id=None,
        kitsu_id=None,
        tvdb_id=None,
        genres=(),
        themes=(),
        age_rating=None,
        rating_inferred=False,
        match=1.0,
        moved_by=0.0,
        moved_for=None,
        match_percentile=None,
        expected_score=8.0,
        predicted_score=8.0,
        expected_error=1.0,
        because=[],
        rest=0.0,
        follows=None,
        more_of_franchise=0,
        few_fans=False,
        picture=None,
        url="https://x/?a=1&b=2",
        mal_url="https://x",
    )  # type: ignore[arg-type]


def test_picks_come_back_as_what_is_planned(client: FlaskClient) -> None:
    shown = page(client, f"{ADDRESS}?n=30&type=tv")
    response = client.get(f"{ADDRESS}?n=30&type=tv&format=xml")
    assert response.mimetype == "application/xml"
    assert response.headers["Content-Disposition"] == 'attachment; filename="hakken.xml"'
    found = read_list_file(response.data)
    assert found.format.name == "MyAnimeList"
    assert [entry.mal_id for entry in found.entries] == shown_ids(shown)
    assert {entry.status for entry in found.entries} == {WatchStatus.PLAN_TO_WATCH}
    assert {entry.score for entry in found.entries} == {None}


@settings(deadline=None)
@given(st.lists(st.tuples(TITLES, st.sampled_from(["TV", None])), max_size=5))
def test_any_title_survives_the_way_through_a_list_site(rows: list[tuple[str, str | None]]) -> None:
    picks = [pick(at, title, kind=kind) for at, (title, kind) in enumerate(rows, 1)]
    entries = read_list_file(XML.get_template("animelist.xml").render(picks=picks).encode()).entries
    assert [entry.mal_id for entry in entries] == [each.anime_id for each in picks]
    for entry, each in zip(entries, picks, strict=True):
        plain = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", each.title)
        assert entry.title == (plain.replace("\r\n", "\n").replace("\r", "\n").strip() or None)


def test_a_feed_has_the_picks_with_ids_and_dates_that_stay(client: FlaskClient) -> None:
    shown = page(client, f"{ADDRESS}?n=10")
    response = client.get(f"{ADDRESS}?n=10&format=atom")
    assert response.mimetype == "application/atom+xml"
    assert re.fullmatch("private, max-age=[0-9]+", response.headers["Cache-Control"])
    feed = ElementTree.fromstring(response.data)
    entries = feed.findall(f"{ATOM}entry")
    titles = [entry.findtext(f"{ATOM}title") for entry in entries]
    assert len(titles) == len(shown_ids(shown)) == 10
    assert all(entry.find(f"{ATOM}link") is not None for entry in entries)
    ids = {entry.findtext(f"{ATOM}title"): entry.findtext(f"{ATOM}id") for entry in entries}
    other = ElementTree.fromstring(client.get("/user/anilist/regular?n=5&format=atom").data)
    for entry in other.findall(f"{ATOM}entry"):
        assert ids[entry.findtext(f"{ATOM}title")] == entry.findtext(f"{ATOM}id")
    dates = {each.text for each in feed.iter(f"{ATOM}updated")}
    assert len(dates) == 1
    assert datetime.fromisoformat(dates.pop() or "").tzinfo


@pytest.mark.parametrize("kind", ["atom", "ics"])
def test_who_has_it_already_is_told_so(client: FlaskClient, kind: str) -> None:
    address = f"{ADDRESS}?format={kind}"
    first = client.get(address)
    assert first.headers["ETag"]
    again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_page_leads_there(client: FlaskClient) -> None:
    links = {a.text: a.attributes["href"] for a in page(client, ADDRESS).all("a")}
    for label, kind in {
        "Plan to watch (MyAnimeList XML)": "application/xml",
        "Feed": "application/atom+xml",
        "Calendar of what begins": "text/calendar",
    }.items():
        response = client.get(links[label])
        assert (response.status_code, response.mimetype) == (200, kind)


def test_a_calendar_has_all_for_the_fan_that_begins_now_or_later(
    client: FlaskClient, app: Flask
) -> None:
    with app.app_context():
        library = get_library()
        year = current_season(library).year
        catalogue = library.catalogue

    def titles(query: str) -> list[str]:
        text = client.get(f"{ADDRESS}?{query}&format=ics").text.replace("\r\n ", "")
        return re.findall("SUMMARY:(.*)\r\n", text)

    found = (client.get(f"{ADDRESS}?n=100&year_from={year}&format=json").json or {})[
        "recommendations"
    ]
    begins = [(each["title"], catalogue.get_anime(each["anime_id"])) for each in found]
    for since in Season:
        seasons = tuple(Season)[tuple(Season).index(since) :]
        when = SeasonOfYear(year, since)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recommendations, "current_season", lambda _, when=when: when)
            wanted = [t for t, each in begins if (each.year or 0) > year or each.season in seasons]
            assert titles("n=2") == wanted
    assert len(wanted) > 5
    assert titles("offset=3") == titles("surprise=7") == titles("n=2")


def test_a_calendar_of_nothing_still_holds_something(client: FlaskClient) -> None:
    text = client.get(f"{ADDRESS}?year_to=1990&format=ics").text
    assert "BEGIN:VEVENT" not in text
    assert text.count("BEGIN:VTIMEZONE") == text.count("END:VTIMEZONE") == 1
    assert "BEGIN:VTIMEZONE" not in client.get(f"{ADDRESS}?format=ics").text


def test_each_stands_on_the_first_day_of_its_season() -> None:
    anime = [
        Anime(1, "A", year=2026, season="fall"),
        Anime(3, "C; D, E\\", year=2027, season="winter"),
        Anime(4, "F", year=2027),
        Anime(5, "G"),
    ]
    pairs = [(pick(each.anime_id, each.title), each) for each in anime]
    text = to_calendar(pairs, PLACE, personal=True)
    assert re.findall("DTSTART;VALUE=DATE:([0-9]+)\r\n", text) == ["20261001", "20270101"]
    assert re.findall("SUMMARY:(.*)\r\n", text) == ["A", "C\\; D\\, E\\\\"]
    assert text.count("BEGIN:VEVENT") == text.count("DTSTAMP:20261128T000000Z") == 2
    assert len(set(re.findall("UID:(.*)\r\n", text))) == 2


@settings(deadline=None)
@given(st.lists(TITLES, min_size=1, max_size=4))
def test_any_title_fits_into_feeds_and_calendars(titles: list[str]) -> None:
    picks = [pick(at, title) for at, title in enumerate(titles, 1)]
    feed = XML.get_template("feed.xml")
    summary = partial(summarize_pick, personal=True)
    text = feed.render(picks=picks, place=PLACE, summary=summary)
    assert len(ElementTree.fromstring(text).findall(f"{ATOM}entry")) == len(titles)
    anime = Anime(1, "A", year=2026, season="fall")
    place = replace(PLACE, owner=titles[0])
    text = to_calendar([(each, anime) for each in picks], place, personal=True)
    lines = text.encode().split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    unfolded = text.replace("\r\n ", "").split("\r\n")
    assert unfolded[-2:] == ["END:VCALENDAR", ""]
    assert sum(line.startswith("SUMMARY:") for line in unfolded) == len(titles)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-28T02:30:12+00:00", "2026-11-28T02:30:12"),
        ("2026-11-28T02:30:12+02:00", "2026-11-28T00:30:12"),
        ("2026-11-28", "2026-11-28T00:00:00"),
        ("yesterday", "1970-01-01T00:00:00"),
    ],
)
def test_dates_of_models(written: str, read: str) -> None:
    made = Manifest.model_construct(created=written).created_at or NO_DATE
    assert f"{made:%Y-%m-%dT%H:%M:%S}" == read
