from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.lists import errors as lists
from app.settings import AppSettings
from app.web.problems import PROBLEM_TYPES, problem_types_by_slug, to_problem
from app.web.services import recommendations as answering
from demo.fake_upstream import FakeUpstream
from tests.lists import scenarios
from tests.web.fans import SCORED
from tests.web.html_page import read_html

ARGUMENTS: dict[type[lists.ListError], dict[str, object]] = {
    lists.BadUsername: {"username": "Someone", "rule": "too odd"},
    lists.UnknownUser: {"username": "Someone"},
    lists.PrivateList: {"username": "Someone"},
    lists.NotFoundOrPrivate: {"username": "Someone"},
    lists.EmptyList: {"username": "Someone"},
    lists.ListTooLong: {"limit": 20_000},
    lists.RateLimited: {"retry_after": 41},
    lists.SourceDown: {"detail": "secret"},
    lists.SourceNotConfigured: {},
    lists.BadListFile: {"reason": lists.BadFileReason.MANGA},
    lists.SignInFailed: {"reason": lists.SignInReason.EXPIRED},
    lists.TitleNotThere: {"title": "Monster"},
    lists.PlanNotSaved: {
        "title": "Monster",
        "cause": lists.SourceDown(source="AniList", detail="a secret"),
    },
}
STATUSES = {
    lists.BadUsername: 400,
    lists.UnknownUser: 404,
    lists.PrivateList: 403,
    lists.NotFoundOrPrivate: 404,
    lists.EmptyList: 200,
    lists.ListTooLong: 413,
    lists.RateLimited: 503,
    lists.SourceDown: 502,
    lists.SourceNotConfigured: 501,
    lists.BadListFile: 400,
    lists.SignInFailed: 403,
    lists.TitleNotThere: 404,
    lists.PlanNotSaved: 502,
}


def list_errors(base: type[lists.ListError] = lists.ListError) -> Iterator[type[lists.ListError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from list_errors(kind)


def make(kind: type[lists.ListError], **changes: object) -> lists.ListError:
    arguments: dict[str, object] = {"source": "AniList", **ARGUMENTS[kind], **changes}
    return kind(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(list_errors()), ids=lambda kind: kind.__name__)
def test_every_list_error_has_its_place(kind: type[lists.ListError]) -> None:
    error = make(kind)
    problem = to_problem(error, "0")
    assert problem.problem_type is PROBLEM_TYPES[kind]
    assert problem.status == STATUSES[kind]
    assert problem.detail == str(error)
    assert "secret" not in problem.detail
    assert len(problem.problem_type.title) < 40


def test_what_an_error_says_of_itself_counts() -> None:
    slow = make(lists.SourceDown, trouble=lists.Trouble.TIMED_OUT)
    assert to_problem(slow, "0").status == 504
    for trouble in (lists.Trouble.UNREACHABLE, lists.Trouble.REFUSED):
        found = to_problem(make(lists.SourceDown, trouble=trouble), "0")
        assert (found.problem_type.slug, found.status) == (f"source-{trouble}", 502)
    large = make(lists.BadListFile, reason=lists.BadFileReason.TOO_LARGE)
    assert to_problem(large, "0").status == 413
    assert to_problem(make(lists.RateLimited), "0").headers == {"Retry-After": "41"}
    silent = make(lists.RateLimited, retry_after=None)
    assert to_problem(silent, "0").headers == {"Retry-After": "60"}


def test_slugs_name_one_kind_each_and_have_a_page(client: FlaskClient) -> None:
    for slug, kind in problem_types_by_slug().items():
        response = client.get(f"/problems/{slug}")
        assert response.status_code == 200
        assert read_html(response.text).one("h1").text == kind.title
    assert client.get("/problems/none").status_code == 404


WIRE = [
    ("Nobody99", 404, "unknown-user", True),
    ("no_body", 400, "bad-username", True),
    (scenarios.PRIVATE, 403, "private-list", True),
    (scenarios.RATE_LIMITED, 503, "rate-limited", False),
    (scenarios.DISABLED, 502, "source-down", False),
    (scenarios.ERROR_200_USER, 502, "source-down", False),
    (scenarios.HUGE_USER, 413, "list-too-long", False),
]


@pytest.mark.parametrize(("name", "status", "slug", "field"), WIRE)
def test_trouble_on_the_way_is_told_to_people(
    client: FlaskClient, name: str, status: int, slug: str, field: bool
) -> None:
    response = client.get(f"/user/anilist/{name}")
    assert response.status_code == status
    page = read_html(response.text)
    assert len(page.all("h1")) == 1
    assert page.one("title").text.startswith("Error: ")
    typed = page.one("input", id="username").attributes
    assert typed["value"] == name
    assert (typed.get("aria-invalid") == "true") is field
    assert ("problem" in typed["aria-describedby"].split()) is field
    assert page.one("p", id="problem").text.endswith(".")
    again = [a for a in page.all("a") if a.text == "Try again"]
    assert bool(again) is (status in (502, 503))


@pytest.mark.parametrize(("name", "status", "slug", "field"), WIRE)
def test_trouble_on_the_way_is_told_to_programs(
    client: FlaskClient, name: str, status: int, slug: str, field: bool
) -> None:
    response = client.get(f"/api/v1/recommendations?source=anilist&username={name}")
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    body = json.loads(response.data)
    assert body["type"] == f"/problems/{slug}"
    assert response.headers.get("Retry-After") == ("41" if slug == "rate-limited" else None)


def test_a_slow_source_is_given_up(settings: AppSettings) -> None:
    # A server of its own: it keeps the unanswered connection until it is closed.
    with FakeUpstream() as slow:
        changes = {"list_deadline": 0.2, "anilist_url": slow.base_url("anilist")}
        app = create_app(settings.model_copy(update=changes))
        response = app.test_client().get(f"/user/anilist/{scenarios.SLOW}")
    assert response.status_code == 504
    assert "took too long" in response.text


@pytest.mark.parametrize(
    ("method", "address", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/user/nowhere/Regular", 404, "not-found"),
        ("GET", "/api/v2/x", 404, "not-found"),
        ("POST", "/", 405, "method-not-allowed"),
        ("PUT", "/api/v1/recommendations", 405, "method-not-allowed"),
        ("GET", "/user/anilist/Regular?n=0", 400, "bad-query"),
        ("GET", "/user/anilist/Regular?n=101", 400, "bad-query"),
        ("GET", "/user/anilist/Regular?n=", 400, "bad-query"),
        ("GET", "/user/anilist/Regular?order=best", 400, "bad-query"),
        ("GET", "/user/anilist/Regular?adult=perhaps", 400, "bad-query"),
        ("GET", "/recommend?source=nowhere&username=a", 400, "bad-query"),
        ("GET", "/recommend?source=anilist&username=", 400, "bad-username"),
        ("GET", "/recommend?source=anilist&username=..", 400, "bad-username"),
        ("GET", f"/recommend?source=anilist&username={'a' * 101}", 400, "bad-username"),
    ],
)
def test_requests_that_go_nowhere(
    client: FlaskClient, method: str, address: str, status: int, slug: str
) -> None:
    response = client.open(address, method=method)
    assert response.status_code == status
    if address.startswith("/api/"):
        assert json.loads(response.data)["type"] == f"/problems/{slug}"
    else:
        assert problem_types_by_slug()[slug].title in response.text
    if status == 405:
        assert response.headers["Allow"]


def test_a_wrong_option_is_named_on_the_page(client: FlaskClient) -> None:
    sentence = "“n” should be a whole number from 1 to 100."
    assert sentence in client.get("/user/anilist/Regular?n=0").text


@pytest.fixture
def broken(app: Flask, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    def fail(*_: object) -> None:
        raise RuntimeError("the list of Regular tripped it")

    monkeypatch.setattr(answering, "recommend", fail)
    return app.test_client()


@pytest.mark.parametrize(
    ("address", "hidden", "leads_to"),
    [
        (
            "/user/anilist/Nobody99?type=tv&type=ova&title=english&hide=5&seen=6:7&other=x",
            [("type", "tv"), ("type", "ova"), ("title", "english")],
            "/user/anilist/Regular?type=tv,ova&title=english",
        ),
        (
            "/recommend?source=anilist&username=..&year_from=2001&season=fall",
            [("year_from", "2001"), ("season", "fall")],
            "/user/anilist/Regular?season=fall&year_from=2001",
        ),
        ("/user/anilist/Regular?n=0&type=tv", [("type", "tv")], "/user/anilist/Regular?type=tv"),
        (
            "/together/anilist/Regular/anilist/Nobody99?type=tv&ignore=5",
            [("type", "tv")],
            "/together/anilist/Regular/anilist/NoScores?type=tv",
        ),
    ],
)
def test_another_name_is_asked_for_with_all_else(
    client: FlaskClient, address: str, hidden: list[tuple[str, str]], leads_to: str
) -> None:
    action, found = form_to_try_again(client, address)
    assert found == hidden
    names = {"source": "anilist", "username": "Regular"}
    if action == "/together":
        names |= {"with_source": "anilist", "with_username": "NoScores"}
    assert client.get(action, query_string=[*names.items(), *found]).location == leads_to


def test_another_name_is_asked_for_about_the_same_anime(client: FlaskClient) -> None:
    page = f"/anime/{SCORED[0]}/for"
    asked = f"{page}?source=anilist&username=Nobody99&title=native"
    assert form_to_try_again(client, asked) == (f"{page}#for", [("title", "native")])


def form_to_try_again(client: FlaskClient, address: str) -> tuple[str, list[tuple[str, str]]]:
    """Where the form of an error page leads, and what it has besides the names."""
    (form,) = read_html(client.get(address).text).one("section", class_="retry").all("form")
    hidden = [each.attributes for each in form.all("input", type="hidden")]
    return form.attributes["action"], [(each["name"], each["value"]) for each in hidden]


def test_a_bug_is_ours_and_has_a_number(
    broken: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    page = broken.get("/user/anilist/Regular")
    api = broken.get("/api/v1/recommendations?source=anilist&username=Regular")
    assert page.status_code == api.status_code == 500
    number = json.loads(api.data)["request_id"]
    assert number in caplog.text
    assert number in json.loads(api.data)["detail"]
    assert "RuntimeError" in caplog.text
    assert "Regular" not in caplog.text
    for response in (page, api):
        assert "tripped" not in response.text
        assert "Traceback" not in response.text


def test_no_model_is_said_kindly(modelless: FlaskClient) -> None:
    for address in ("/", "/user/anilist/Regular", "/example", "/recommend?username=a"):
        response = modelless.get(address)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "60"
        assert read_html(response.text).one("h1").text == "Hakken is being updated"
    response = modelless.post("/api/v1/recommendations", json={"list": []})
    assert response.status_code == 503
    assert json.loads(response.data)["type"] == "/problems/being-updated"


def test_logs_hold_no_names_and_no_lists(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    names = ["Regular", "Nobody99", "no_body", scenarios.DISABLED, scenarios.PRIVATE]
    for name in names:
        client.get(f"/recommend?source=anilist&username={name}")
        client.get(f"/user/anilist/{name}?n=5")
        client.get(f"/api/v1/recommendations?source=anilist&username={name}")
    assert "GET /user/<source>/<path:username> 404" in caplog.text
    assert not [name for name in names if name.casefold() in caplog.text.casefold()]
