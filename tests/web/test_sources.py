"""Every source from the address bar to the answer, set up as an operator would: by environment."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.settings import SettingsError, load_settings
from app.upstream.circuit_breaker import MAX_FAILURES
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from demo.http_server import FakeResponse
from tests.lists import scenarios
from tests.web.fans import SCORED
from tests.web.html_page import read_html

SLUGS = ["myanimelist", "anilist", "kitsu", "jikan", "shikimori"]
Serve = Callable[..., FlaskClient]


@pytest.fixture
def serve(
    upstream: FakeUpstream, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Serve:
    """Start Hakken with the demo's settings, some of them changed or (None) left out."""
    upstream.add_user("Regular", [DemoEntry(n, 10 - place % 5) for place, n in enumerate(SCORED)])

    def start(**changes: str | None) -> FlaskClient:
        own = {
            "HAKKEN_MODEL": str(tiny_model),
            "HAKKEN_CACHE_DIR": str(tmp_path),
            "HAKKEN_LIST_GRACE": "120",
        }
        for name, value in {**upstream.environment(), **own, **changes}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return create_app(load_settings()).test_client()

    return start


def test_all_sources_read_the_same_list(serve: Serve) -> None:
    client = serve()
    answers = []
    for slug in SLUGS:
        response = client.get(f"/api/v1/recommendations?source={slug}&username=regular&top=5")
        assert response.status_code == 200, response.text
        body = json.loads(response.data)
        assert body["source"] == slug
        # Addresses lead to the site that was asked.
        answers.append([{**each, "url": None} for each in body["recommendations"]])
        page = read_html(client.get(f"/user/{slug}/Regular").text)
        assert "From 12 scored titles on a list of 12, read from " in page.text
    assert all(answer == answers[0] for answer in answers)


KEYLESS: dict[str, str | None] = {"MAL_CLIENT_ID": None, "HAKKEN_JIKAN_URL": None}


@pytest.mark.parametrize(
    ("settings", "asked", "channel", "words"),
    [
        ({}, "/mal/v2/users/Regular/animelist", "api", "MyAnimeList’s API"),
        (KEYLESS, "/mal-web/animelist/Regular/load.json", "list_pages", "MyAnimeList’s list pages"),
        (
            {"MAL_CLIENT_ID": None},
            "/jikan/v4/users/Regular/animelist",
            "jikan",
            "MyAnimeList by way of Jikan",
        ),
    ],
)
def test_the_best_way_to_myanimelist_is_taken(
    serve: Serve,
    upstream: FakeUpstream,
    settings: dict[str, str | None],
    asked: str,
    channel: str,
    words: str,
) -> None:
    client = serve(**settings)
    response = client.get("/api/v1/recommendations?source=myanimelist&username=Regular")
    body = json.loads(response.data)
    assert (body["source"], body["list"]["channel"]) == ("myanimelist", channel)
    page = read_html(client.get("/user/myanimelist/Regular").text)
    assert f"read from {words} just now." in page.one("p", class_="lead").text
    assert {request.path for request in upstream.requests} == {asked}
    assert client.get("/recommend?username=Regular").location == "/user/myanimelist/Regular"


def test_each_way_to_myanimelist_stands_in_for_the_one_before(
    serve: Serve, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(HAKKEN_LIST_CACHE="0")
    broken = [FakeResponse(500, b"") for _ in range(3)]
    for sick, channel in ((["mal"], "jikan"), (["mal", "jikan"], "list_pages")):
        upstream.queued_responses = {service: list(broken) for service in sick}
        response = client.get("/api/v1/recommendations?source=myanimelist&username=Regular")
        assert json.loads(response.data)["list"]["channel"] == channel
    assert "MyAnimeList by api: SourceDown: HTTP 500; asked by jikan instead" in caplog.text
    assert "regular" not in caplog.text.casefold()
    # What one of them says about the user, no other is asked about.
    upstream.requests.clear()
    assert client.get("/user/myanimelist/Nobody99").status_code == 404
    assert [asked.path.split("/")[1] for asked in upstream.requests] == ["mal"]


def test_jikan_is_offered_only_where_there_is_one(serve: Serve) -> None:
    def offered(client: FlaskClient) -> list[str]:
        options = read_html(client.get("/").text).all("option")
        return [option.attributes["value"] for option in options]

    assert "jikan" in offered(serve())
    without = serve(**KEYLESS)
    assert offered(without)[0] == "myanimelist"
    assert "jikan" not in offered(without)
    lists = json.loads(without.get("/readyz").data)["lists"]
    assert (lists["myanimelist"], lists["jikan"]) == (["list_pages"], [])


def test_a_site_that_wants_a_browser_is_told_so(serve: Serve, upstream: FakeUpstream) -> None:
    client = serve(**KEYLESS)
    name = scenarios.CHALLENGE
    address = f"/api/v1/recommendations?source=myanimelist&username={name}"
    answers = [client.get(address) for _ in range(MAX_FAILURES + 1)]
    assert len(upstream.requests) == MAX_FAILURES, "then it is left alone"
    for answer in answers:
        assert answer.status_code == 502
        body = json.loads(answer.data)
        assert body["type"] == "/problems/source-refused"
        assert "turns programs away" in body["detail"]
    # Amazon's firewall asks with another status, and no page.
    captcha = FakeResponse(202, b"", {"x-amzn-waf-action": "challenge"})
    fresh = serve(**KEYLESS)
    upstream.queued_responses["mal-web"] = [captcha]
    page = read_html(fresh.get("/user/myanimelist/Regular").text)
    assert "turns programs away" in page.one("p", id="problem").text


def test_without_a_network_nobody_is_told_to_check_the_name(serve: Serve) -> None:
    with FakeUpstream() as gone:
        nowhere = gone.base_url("mal-web")
    response = serve(**KEYLESS, HAKKEN_MAL_WEB_URL=nowhere).get("/user/myanimelist/Regular")
    assert response.status_code == 502
    page = read_html(response.text)
    assert page.one("h1").text == "The site cannot be reached"
    told = page.one("p", id="problem").text
    assert told.startswith("Hakken cannot reach MyAnimeList, so its network or the site is down")
    assert "spelling" not in told
    assert "private" not in told


def test_without_any_way_to_myanimelist_that_is_said(serve: Serve) -> None:
    client = serve(**KEYLESS, HAKKEN_MAL_WEB="0")
    for slug in ("myanimelist", "jikan"):
        response = client.get(f"/api/v1/recommendations?source={slug}&username=Regular")
        assert response.status_code == 501
        assert json.loads(response.data)["type"] == "/problems/source-not-set-up"
    response = client.get("/user/myanimelist/Regular")
    assert response.status_code == 501
    page = read_html(response.text)
    assert "upload the export file" in page.one("p", id="problem").text
    assert page.one("input", id="export")
    offered = {option.attributes["value"] for option in page.all("option")}
    assert offered == {"anilist", "kitsu", "shikimori", "myanimelist"}


@pytest.mark.parametrize("slug", SLUGS)
def test_what_goes_wrong_is_told_alike(serve: Serve, slug: str) -> None:
    # Each too long a list is read twice here; that the limit is 20,000 is told in `tests.lists`.
    client = serve(HAKKEN_MAX_LIST_LENGTH="1500")
    unsure = slug == "jikan"  # it cannot tell a private list from no list
    expected = [
        ("Nobody99", 404, "unknown-user"),
        (scenarios.PRIVATE, 404, "not-found-or-private")
        if unsure
        else (scenarios.PRIVATE, 403, "private-list"),
        (scenarios.RATE_LIMITED, 503, "rate-limited"),
        (scenarios.HUGE_USER, 413, "list-too-long"),
        (scenarios.named(Fault.GATEWAY), 502, "source-down"),
        (scenarios.named(Fault.FIELDLESS), 502, "source-down"),
    ]
    for name, status, kind in expected:
        response = client.get(f"/api/v1/recommendations?source={slug}&username={name}")
        assert (response.status_code, json.loads(response.data)["type"]) == (
            status,
            f"/problems/{kind}",
        )
        assert (response.headers.get("Retry-After") == "41") is (kind == "rate-limited")
        assert client.get(f"/user/{slug}/{name}").status_code == status


def test_the_log_says_who_failed_and_what_was_missing(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    name = scenarios.named(Fault.FIELDLESS)
    serve().get(f"/user/kitsu/{name}")
    assert "source-down: Kitsu: HTTP 200, data.0.attributes.ratingTwenty: Field required" in (
        caplog.text
    )
    assert name.casefold() not in caplog.text.casefold()


def test_an_older_list_says_so(
    serve: Serve, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(HAKKEN_LIST_CACHE="1")
    client.get("/user/kitsu/Regular")
    upstream.data.add_user("Regular", [], Fault.DOWN)
    now = time.time
    monkeypatch.setattr("app.lists.list_cache.time.time", lambda: now() + 290)
    text = read_html(client.get("/user/kitsu/Regular").text).one("p", class_="lead").text
    assert text.endswith("read from Kitsu 5 minutes ago, because it does not answer right now.")


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("https://myanimelist.net/profile/A-b_c", "/user/myanimelist/A-b_c"),
        ("myanimelist.net/animelist/A-b_c?status=2", "/user/myanimelist/A-b_c"),
        ("https://kitsu.app/users/abc/library?media=anime", "/user/kitsu/abc"),
        ("https://kitsu.io/users/abc", "/user/kitsu/abc"),
        ("https://shikimori.one/Some%20One/list/anime", "/user/shikimori/Some%20One"),
        ("https://anilist.co/user/Abc/", "/user/anilist/Abc"),
    ],
)
def test_a_pasted_profile_decides_by_itself(serve: Serve, typed: str, address: str) -> None:
    client = serve()
    response = client.get("/recommend", query_string={"source": "anilist", "username": typed})
    assert response.location == address


def test_a_profile_decides_wherever_the_api_asks_for_a_name(serve: Serve) -> None:
    client = serve()
    other = "with_source=shikimori&with_username=Regular"
    for path in ("recommendations?", f"anime/{SCORED[0]}/for?", "fans?", f"together?{other}&"):
        plain, pasted = (
            client.get(f"/api/v1/{path}source={source}&username={name}").json
            for source, name in (("kitsu", "Regular"), ("anilist", "kitsu.app/users/Regular"))
        )
        assert plain is not None
        assert pasted is not None
        # This model keeps no fans, which is only told of a list that was read.
        plain.pop("request_id", None)
        assert plain == {name: pasted[name] for name in plain}


def test_settings_that_hold_secrets_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    with pytest.raises(SettingsError) as caught:
        serve(HAKKEN_CACHE_URL="http://:hunter2@host")
    assert str(caught.value).startswith("HAKKEN_CACHE_URL: ")
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("HAKKEN_CACHE_URL", "redis://:hunter2@host")
    settings = load_settings()
    assert "hunter2" not in repr(settings)
    assert "demo" not in repr(settings)
