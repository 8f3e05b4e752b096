"""Private lists by signing in at the fan's own site, and picks put on the plan there.

Everything over HTTP: a browser that is a `requests.Session`, the real application, and the demo's
MyAnimeList and AniList, which hand out codes and tokens as strictly as the sites do.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

from app import create_app
from app.settings import AppSettings, SettingsError, load_settings
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from demo.http_server import FakeResponse, json_response
from tests.tiny_model import ANILIST_OFFSET, BARE, title_of
from tests.web.fans import IDS, SCORED
from tests.web.html_page import Element, read_html
from tests.web.signing_in import FAN, serving, settings_for

SITES = {"myanimelist": ("mal", "mal-web"), "anilist": ("anilist", "anilist-web")}
"""By source, the demo's services for what fans have and for letting Hakken in."""
both_sites = pytest.mark.parametrize("source", SITES)


@dataclass
class Answer:
    """An answer of Hakken's, and where it was found."""

    response: requests.Response
    text: str

    @property
    def page(self) -> Element:
        return read_html(self.text.removeprefix("<!doctype html>"))

    @property
    def sentence(self) -> str:
        """What a page of an error says."""
        return self.page.one("p", id="problem").text


@dataclass
class Browser:
    """Somebody who visits Hakken; cookies are kept as browsers keep them."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def open(self, path: str, **options: object) -> Answer:
        return self._ask("GET", path, **options)

    def send(self, form: Element, **changed: str) -> Answer:
        """Send a form with what is in it."""
        fields = {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}
        return self._ask("POST", form.attributes["action"], data=fields | changed)

    def begin(self, source: str) -> str:
        """Return the address at the site to which the fan is sent."""
        answer = self.open(f"/oauth/{source}", allow_redirects=False)
        assert answer.response.status_code == 302
        return answer.response.headers["Location"]

    def consent(self, asked_at: str, name: str = FAN, answer: str = "allow") -> str:
        """Answer the site as the fan; return the address that the site leads back to."""
        assert requests.get(asked_at, timeout=10).status_code == 200
        form = {"name": name, "answer": answer}
        back = requests.post(asked_at, data=form, timeout=10, allow_redirects=False)
        assert back.status_code == 302
        return back.headers["Location"].removeprefix(self.url)

    def sign_in(self, source: str, name: str = FAN) -> Answer:
        return self.open(self.consent(self.begin(source), name))

    def _ask(self, method: str, path: str, **options: object) -> Answer:
        url = path if path.startswith("http") else f"{self.url}{path}"
        response = self.session.request(method, url, timeout=120, **options)  # type: ignore[arg-type]
        return Answer(response, response.text)


@dataclass(frozen=True)
class World:
    url: str
    upstream: FakeUpstream
    cache: Path
    hasty_url: str
    """The same application, that waits for two seconds for a site."""

    def browser(self) -> Browser:
        return Browser(self.url)

    def visit(self, browser: Browser, trouble: str) -> Browser:
        """The browser, if a site hangs at the application that does not wait for long."""
        return replace(browser, url=self.hasty_url) if trouble == "hangs" else browser

    def asked(self, service: str) -> list[str]:
        """The tokens with which a service was asked since the last look."""
        prefix = self.upstream.base_url(service).removeprefix(self.upstream.url)
        found = [
            each.headers.get("authorization", "")
            for each in self.upstream.requests
            if each.path.startswith(prefix)
        ]
        self.upstream.requests.clear()
        return found


@pytest.fixture(scope="module")
def world(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    cache = tmp_path_factory.mktemp("cache")
    with FakeUpstream() as upstream:
        upstream.data.synopses.update(dict.fromkeys(IDS, "About it."))
        upstream.data.mal_ids = {n + ANILIST_OFFSET: n for n in IDS}
        entries = [DemoEntry(n, 10 - n % 5, media_id=n) for n in SCORED]
        upstream.data.add_user(FAN, entries, Fault.PRIVATE)
        upstream.add_user("Public", entries)
        settings = settings_for(upstream, tiny_model, cache)
        with serving(settings) as url, serving(settings | {"list_deadline": 2}) as hasty_url:
            yield World(url, upstream, cache, hasty_url)


@pytest.fixture(autouse=True)
def _no_old_answers(world: World) -> None:
    world.upstream.queued_responses.clear()
    world.upstream.requests.clear()


def picks(answer: Answer) -> list[int]:
    cards = answer.page.all("li", class_="card")
    return [int(each.attributes["data-anime"]) for each in cards]


def plan_forms(answer: Answer, source: str) -> list[Element]:
    return answer.page.all("form", action=f"/oauth/{source}/plan")


@both_sites
def test_a_fan_signs_in_and_has_the_private_list_read(world: World, source: str) -> None:
    api, website = SITES[source]
    browser = world.browser()
    refused = browser.open(f"/user/{source}/{FAN}")
    assert refused.response.status_code == 403
    (link,) = refused.page.all("a", href=f"/oauth/{source}")
    assert link.text.startswith("Sign in at ")
    asked_at = browser.begin(source)
    query = dict(parse_qsl(urlsplit(asked_at).query))
    assert query["redirect_uri"] == f"{world.url}/oauth/{source}/callback"
    assert len(query["state"]) >= 32
    assert ("code_challenge" in query) is (source == "myanimelist")
    answer = browser.open(browser.consent(asked_at))
    assert answer.response.url == f"{world.url}/user/{source}/{FAN}"
    assert answer.response.status_code == 200
    assert f"From {len(SCORED)} scored titles" in answer.page.one("p", class_="lead").text
    assert picks(answer)
    assert "only you see it" in answer.page.one("ul", class_="notes").text
    assert answer.response.headers["Cache-Control"] == "private, no-store"
    assert all(each.startswith("Bearer ") for each in world.asked(api)[-2:])
    home = browser.open("/")
    assert home.response.headers["Cache-Control"] == "private, no-store"
    assert FAN in home.text
    assert not home.page.all("a", href=f"/oauth/{source}")
    assert website  # the token came from there, which checks secret, verifier and address


@both_sites
def test_nobody_else_is_served_a_private_list(world: World, source: str) -> None:
    owner, other = world.browser(), world.browser()
    assert owner.sign_in(source).response.status_code == 200
    for path in (f"/user/{source}/{FAN}", f"/user/{source}/{FAN.lower()}", f"/fans/{source}/{FAN}"):
        assert other.open(path).response.status_code in (403, 404)
    assert other.sign_in(source, "Public").response.status_code == 200
    assert other.open(f"/user/{source}/{FAN}").response.status_code == 403
    api = f"/api/v1/recommendations?source={source}&username={FAN}"
    assert owner.open(api).response.status_code == 403, "what asks for programs knows no cookie"
    assert owner.open(f"/user/{source}/{FAN.upper()}").response.status_code == 200
    elsewhere = next(each for each in SITES if each != source)
    assert owner.open(f"/user/{elsewhere}/{FAN}").response.status_code == 403


@both_sites
def test_what_others_cannot_have_is_not_offered(world: World, source: str) -> None:
    owner = world.browser()
    owner.sign_in(source)
    for path in ("user", "favourites"):
        private = owner.open(f"/{path}/{source}/{FAN}").page
        assert not private.all("meta", property="og:image")
    picks, together = f"/user/{source}/{FAN}", f"/together/{source}/{FAN}/anilist/Public"
    for told in (owner.open(picks).page.text, owner.open(together).page.text):
        assert "only you see this page" in told
        assert "Whoever has the link sees" not in told

    def taken_along(answer: Answer) -> list[str]:
        (line,) = [each for each in answer.page.all("p") if "Take it with you" in each.text]
        return [each.text for each in line.all("a")]

    public = taken_along(owner.open("/user/anilist/Public"))
    left_out = {"Feed", "Calendar of what begins", "Stremio", "List for Sonarr"}
    assert left_out < set(public)
    assert taken_along(owner.open(picks)) == [each for each in public if each not in left_out]


@both_sites
def test_nothing_of_it_is_kept(world: World, source: str) -> None:
    browser = world.browser()
    browser.sign_in(source)
    (token,) = [token for token, name in world.upstream.data.tokens.items() if name == FAN][-1:]
    for further in ("", "?format=card", "?format=atom", "?format=csv"):
        answer = browser.open(f"/user/{source}/{FAN}{further}")
        assert answer.response.status_code == 200
        assert answer.response.headers["Cache-Control"] == "private, no-store"
    kept = b"".join(each.read_bytes() for each in world.cache.rglob("*") if each.is_file())
    assert token.encode() not in kept
    assert title_of(SCORED[0]).encode() not in kept
    assert world.asked(SITES[source][0]).count(f"Bearer {token}") >= 5, "asked anew every time"


@both_sites
def test_the_cookie_is_for_the_browser_alone(world: World, source: str) -> None:
    browser = world.browser()
    back = browser.consent(browser.begin(source))
    answer = browser.open(back, allow_redirects=False)
    told = answer.response.headers["Set-Cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(told.split("; "))
    assert "Expires=" in told
    assert len(told) < 4_000
    name, value = told.split(";")[0].split("=", 1)
    token = next(reversed(world.upstream.data.tokens))
    assert token not in answer.response.headers["Location"]
    assert token not in browser.open("/").text
    for wrong in (value[:-2], value[5:], "x" + value, value.replace(".", "_")):
        stranger = world.browser()
        stranger.session.cookies.set(name, wrong)
        assert stranger.open(f"/user/{source}/{FAN}").response.status_code == 403
        assert "Sign out" not in stranger.open("/").text


def test_behind_https_the_cookie_is_never_sent_in_the_clear(
    world: World, tiny_model: Path, tmp_path: Path
) -> None:
    settings = settings_for(world.upstream, tiny_model, tmp_path)
    app = create_app(AppSettings(public_url="https://hakken.example", **settings))  # type: ignore[arg-type]
    response = app.test_client().get("/oauth/anilist", base_url="https://hakken.example")
    assert "; Secure" in response.headers["Set-Cookie"]
    assert "https%3A%2F%2Fhakken.example%2Foauth%2Fanilist%2Fcallback" in response.location


@both_sites
@pytest.mark.parametrize("state", [None, "", "wrong", "ü" * 20])
def test_a_sign_in_that_was_not_begun_here_is_refused(
    world: World, source: str, state: str | None
) -> None:
    browser = world.browser()
    back = browser.consent(browser.begin(source))
    query = dict(parse_qsl(urlsplit(back).query)) | {"state": state}
    given = urlencode({name: value for name, value in query.items() if value is not None})
    world.upstream.requests.clear()
    answer = browser.open(f"/oauth/{source}/callback?{given}")
    assert answer.response.status_code == 403
    assert "was not begun in this browser" in answer.sentence
    assert answer.page.all("a", href=f"/oauth/{source}")
    assert world.upstream.requests == [], "the site is not asked at all"
    stranger = world.browser().open(back)
    assert "was not begun in this browser" in stranger.sentence


@both_sites
def test_who_says_no_is_told_what_else_there_is(world: World, source: str) -> None:
    browser = world.browser()
    answer = browser.open(browser.consent(browser.begin(source), answer="deny"))
    assert answer.response.status_code == 403
    assert "did not let Hakken read your list" in answer.sentence
    assert browser.open(f"/user/{source}/{FAN}").response.status_code == 403


@both_sites
def test_an_answer_is_good_once(world: World, source: str) -> None:
    browser = world.browser()
    back = browser.consent(browser.begin(source))
    kept = browser.session.cookies.copy()
    assert browser.open(back).response.status_code == 200
    assert "was not begun in this browser" in browser.open(back).sentence
    thief = world.browser()
    thief.session.cookies = kept  # with the state of the sign-in, but the code was used
    answer = thief.open(back)
    assert answer.response.status_code == 403
    assert "did not accept this sign-in" in answer.sentence


TROUBLE = {
    "500": (json_response(500, {"error": "server_error"}), 502),
    "429": (json_response(429, {}, **{"Retry-After": "41"}), 503),
    "hangs": (FakeResponse(200, b"{", stall="headers"), 504),
    "drops": (FakeResponse(200, None), 502),
    "web page": (FakeResponse(200, b"<!doctype html><p>no", {"Content-Type": "text/html"}), 502),
    "rubbish": (FakeResponse(200, b'{"access'), 502),
    "no token": (json_response(200, {"token_type": "Bearer"}), 502),
    "odd token": (json_response(200, {"access_token": "a b\r\nX-Y: z"}), 502),
    "huge token": (json_response(200, {"access_token": "x" * 5_000}), 502),
}


@both_sites
@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_site_in_trouble_is_told_and_nobody_is_signed_in(
    world: World, source: str, trouble: str
) -> None:
    response, status = TROUBLE[trouble]
    browser = world.browser()
    back = browser.consent(browser.begin(source))
    world.upstream.queued_responses[SITES[source][1]] = [response]
    world.upstream.requests.clear()
    answer = world.visit(browser, trouble).open(back)
    assert answer.response.status_code == status
    assert answer.sentence
    assert len(world.upstream.requests) == 1, "a code is never sent twice"
    if status != 503:
        (again,) = [each for each in answer.page.all("a") if each.text == "Try again"]
        assert again.attributes["href"] == f"/oauth/{source}"
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    assert code not in answer.text
    assert browser.open(f"/user/{source}/{FAN}").response.status_code == 403


@both_sites
def test_a_name_that_cannot_be_one_is_trouble_of_the_site(world: World, source: str) -> None:
    browser = world.browser()
    back = browser.consent(browser.begin(source))
    odd = {"name": "../elsewhere", "data": {"Viewer": {"name": "../elsewhere"}}}
    world.upstream.queued_responses[SITES[source][0]] = [json_response(200, odd)]
    assert browser.open(back).response.status_code == 502
    assert "Sign out" not in browser.open("/").text


@both_sites
def test_a_token_that_is_no_longer_accepted_signs_out(world: World, source: str) -> None:
    browser = world.browser()
    browser.sign_in(source)
    world.upstream.data.tokens.clear()
    answer = browser.open(f"/user/{source}/{FAN}")
    assert answer.response.status_code == 403
    assert "has come to its end, and you are signed out: sign in again" in answer.sentence
    assert answer.page.all("a", href=f"/oauth/{source}")
    assert not browser.session.cookies.get("fan")
    assert "is private" in browser.open(f"/user/{source}/{FAN}").sentence
    browser.sign_in(source)
    world.upstream.data.tokens.clear()
    both = browser.open(f"/together/{source}/{FAN}/{source}/Public")
    assert "has come to its end" in both.sentence
    assert not browser.session.cookies.get("fan")


@both_sites
def test_a_token_that_has_run_out_is_not_sent(world: World, source: str) -> None:
    browser = world.browser()
    back = browser.consent(browser.begin(source))
    token = "short-lived-token"
    world.upstream.data.tokens[token] = FAN
    brief = {"access_token": token, "expires_in": 1}
    world.upstream.queued_responses[SITES[source][1]] = [json_response(200, brief)]
    answer = browser.open(back)
    while answer.response.status_code == 200:  # until the second is over
        answer = browser.open(f"/user/{source}/{FAN}")
    assert "has come to its end" in answer.sentence
    assert not browser.session.cookies.get("fan")


@both_sites
def test_signing_out_takes_the_cookie_away(world: World, source: str) -> None:
    browser = world.browser()
    answer = browser.sign_in(source)
    (form,) = answer.page.all("form", action=f"/oauth/{source}/sign-out")
    other = browser.send(form, token="x")
    assert other.response.status_code == 403
    assert browser.open(f"/user/{source}/{FAN}").response.status_code == 200
    home = browser.send(browser.open("/").page.one("form", action=f"/oauth/{source}/sign-out"))
    assert home.response.url == f"{world.url}/?source={source}"
    assert not browser.session.cookies.get("fan")
    assert browser.open(f"/user/{source}/{FAN}").response.status_code == 403


@both_sites
def test_a_pick_goes_on_the_plan_of_the_fan(world: World, source: str) -> None:
    browser = world.browser()
    answer = browser.sign_in(source)
    before = world.upstream.data.find_by_name(FAN)
    assert before is not None
    first = picks(answer)[0]
    assert "Plan to watch" in plan_forms(answer, source)[0].text
    after = browser.send(plan_forms(answer, source)[0])
    assert after.response.url == f"{world.url}/user/{source}/{FAN}"
    (notice,) = after.page.all("p", class_="notice")
    assert notice.text.startswith(f"{title_of(first)} is on your plan to watch on ")
    now = world.upstream.data.find_by_name(FAN)
    assert now is not None
    assert [(e.anime_id, e.status) for e in now.entries[len(before.entries) :]] == [
        (first, "plan_to_watch")
    ]
    assert first not in picks(after)
    assert not browser.open(f"/user/{source}/{FAN}").page.all("p", class_="notice"), "said once"
    again = browser.send(plan_forms(answer, source)[0], page="order=score&title=english")
    assert again.response.url.endswith(f"/{FAN}?order=score&title=english")
    assert "is on your list on" in again.page.one("p", class_="notice").text
    assert world.upstream.data.find_by_name(FAN) == now, "what is listed stays as it is"


PLAN_TROUBLE = {
    "500": ([json_response(500, {"error": "server_error"})], 502, "did not confirm"),
    "hangs": ([FakeResponse(200, b"{", stall="body")], 502, "did not confirm"),
    "rubbish": ([FakeResponse(200, b"[1")], 502, "did not confirm"),
    "429": ([json_response(429, {}, **{"Retry-After": "41"})], 503, "try again in 41 seconds"),
    "403": ([json_response(403, {"error": "forbidden"})], 502, "did not confirm"),
}


@both_sites
@pytest.mark.parametrize("trouble", PLAN_TROUBLE)
def test_what_goes_wrong_with_a_plan_is_one_sentence(
    world: World, source: str, trouble: str
) -> None:
    responses, status, said = PLAN_TROUBLE[trouble]
    browser = world.browser()
    form = plan_forms(browser.sign_in(source), source)[0]
    world.upstream.queued_responses[SITES[source][0]] = list(responses)
    answer = world.visit(browser, trouble).send(form)
    assert answer.response.status_code == status
    assert said in answer.sentence
    assert browser.open(f"/user/{source}/{FAN}").response.status_code == 200, "still signed in"


@both_sites
def test_a_title_that_the_site_does_not_have_is_told(world: World, source: str) -> None:
    browser = world.browser()
    answer = browser.sign_in(source)
    missing = picks(answer)[0]
    about = world.upstream.data.synopses.pop(missing)
    told = browser.send(plan_forms(answer, source)[0])
    world.upstream.data.synopses[missing] = about
    assert told.response.status_code == 404
    assert f"does not have {title_of(missing)}, so it was not added" in told.sentence
    nameless = browser.send(plan_forms(answer, source)[0], anime_id=str(IDS[BARE]))
    assert (nameless.response.status_code == 404) is (source == "anilist"), "it has no number there"
    for number, status in (("999999999", 404), ("x", 400), ("", 400)):
        wrong = browser.send(plan_forms(answer, source)[0], anime_id=number)
        assert wrong.response.status_code == status


@both_sites
def test_a_plan_is_only_changed_from_a_page_of_the_fan_s_own(world: World, source: str) -> None:
    browser, other = world.browser(), world.browser()
    mine = plan_forms(browser.sign_in(source), source)[0]
    theirs = plan_forms(other.sign_in(source, "Public"), source)[0]
    before = dict(world.upstream.data.users)
    foreign = theirs.all("input", name="token")[0].attributes["value"]
    for token in ("", "x", foreign):
        answer = browser.send(mine, token=token)
        assert answer.response.status_code == 403
        assert "was not made for who is signed in" in answer.sentence
    assert world.browser().send(mine).response.status_code == 403
    world.upstream.data.tokens.clear()
    ended = browser.send(mine)
    assert "has come to its end" in ended.sentence
    assert not browser.session.cookies.get("fan")
    assert world.upstream.data.users == before
    assert not plan_forms(other.open(f"/user/{source}/Regular"), source)
    assert not plan_forms(world.browser().open(f"/user/{source}/Public"), source)


@both_sites
def test_logs_and_metrics_hold_no_code_no_token_and_no_name(
    world: World, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # as `app.observability.logs` has it
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the server of this test
    browser = world.browser()
    back = browser.consent(browser.begin(source))
    answer = browser.open(back)
    browser.send(plan_forms(answer, source)[0])
    world.upstream.queued_responses[SITES[source][0]] = [json_response(500, {})]
    browser.send(plan_forms(answer, source)[1])
    world.upstream.data.tokens, kept = {}, world.upstream.data.tokens
    browser.open(f"/user/{source}/{FAN}")
    metrics = browser.open("/metrics").text
    said = "\n".join(f"{each.getMessage()} {each.exc_text or ''}" for each in caplog.records)
    assert "/oauth/<source>/callback" in said
    assert "/oauth/<source>/plan" in metrics
    assert f'{SITES[source][0]}-sign-in"' in metrics or source == "myanimelist"
    query = dict(parse_qsl(urlsplit(back).query))
    for secret in (*kept, query["code"], query["state"], FAN.casefold()):
        assert secret not in said.casefold() + said
        assert secret not in metrics.casefold() + metrics


def test_without_the_operator_s_wish_there_is_nothing_of_it(
    tiny_model: Path, tmp_path: Path, world: World
) -> None:
    settings = settings_for(world.upstream, tiny_model, tmp_path)
    for name in ("cookie_secret", "mal_client_secret", "anilist_client_id"):
        settings.pop(name, None)
    plain = {
        name: value
        for name, value in settings.items()
        if name.upper() not in ("MAL_CLIENT_SECRET", "ANILIST_CLIENT_ID", "ANILIST_CLIENT_SECRET")
    }
    with serving(plain) as url:
        browser = Browser(url)
        for source in (*SITES, "kitsu", "nowhere"):
            assert browser.open(f"/oauth/{source}").response.status_code == 404
            assert browser.open(f"/oauth/{source}/callback?code=1").response.status_code == 404
            for step in ("plan", "sign-out"):
                answer = browser._ask("POST", f"/oauth/{source}/{step}")
                assert answer.response.status_code == 404
        for path in ("/", f"/user/anilist/{FAN}", "/user/anilist/Public"):
            text = unescape(browser.open(path).text)
            assert not re.search("/oauth/|sign in|sign out", text, re.I)
        assert not browser.session.cookies


WHOLE = {
    "HAKKEN_PUBLIC_URL": "https://hakken.example",
    "HAKKEN_COOKIE_SECRET": "x" * 32,
    "MAL_CLIENT_ID": "an-id",
    "MAL_CLIENT_SECRET": "a-secret",
    "ANILIST_CLIENT_ID": "17",
    "ANILIST_CLIENT_SECRET": "another-secret",
}


@pytest.mark.parametrize("missing", WHOLE)
def test_half_of_the_settings_is_refused_in_a_sentence(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)
    assert load_settings().cookie_secret
    monkeypatch.delenv(missing)
    if missing == "MAL_CLIENT_SECRET":  # then fans sign in at AniList alone
        assert load_settings().anilist_client_secret
        return
    with pytest.raises(SettingsError, match=f"needs {missing} as well") as caught:
        load_settings()
    assert not [value for value in WHOLE.values() if "secret" in value and value in f"{caught}"]


def test_a_cookie_secret_that_nothing_needs_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAKKEN_COOKIE_SECRET", "x" * 32)
    with pytest.raises(SettingsError, match="MAL_CLIENT_SECRET or ANILIST_CLIENT_ID"):
        load_settings()
