"""The page while the list is read: in a real browser, with scripts and without."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from tests.browser.test_accessibility import SCHEMES, SIZES, faults
from tests.lists.scenarios import CHUNKED_USER
from tests.web.fans import SCORED

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
LIST = [DemoEntry(n, 10 - place % 5) for place, n in enumerate(SCORED)]
MAX_SHIFT = 0.02
"""Of the layout, in all. Synopses that come later move reasons by a few pixels."""


def watch_shifts(page: Page) -> list[float]:
    """A list that each layout shift of the page is added to, with scripts or without."""
    shifts: list[float] = []
    devtools = page.context.new_cdp_session(page)
    devtools.on(
        "PerformanceTimeline.timelineEventAdded",
        lambda added: shifts.append(added["event"]["layoutShiftDetails"]["value"]),
    )
    devtools.send("PerformanceTimeline.enable", {"eventTypes": ["layout-shift"]})
    return shifts


def begin(page: Page, name: str) -> None:
    """Go to a page that does not end yet."""
    page.goto(f"/user/anilist/{name}", wait_until="commit")


def words(page: Page, text: str) -> None:
    """Wait for the one line of words that is shown."""
    expect(page.locator(".ghost").first).to_be_visible()  # has no height without the stylesheet
    expect(page.locator(".asking p:visible")).to_have_text(re.compile(re.escape(text)))


def arrived(page: Page, name: str) -> None:
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(rf"Picks for\s+{name}"))
    expect(page.get_by_role("navigation", name="Order and choice")).to_be_visible()
    # Only who listens to the page still has the last line of words.
    assert page.locator(".waiting").evaluate("e => e.getBoundingClientRect().height") <= 1
    assert page.locator(".ghost:visible, .late:visible").count() == 0


def test_the_list_is_waited_for_in_words_with_and_without_scripts(
    visit: Visit, sites: FakeUpstream
) -> None:
    gate = sites.hold_responses(CHUNKED_USER, after=1)
    scripted, plain = visit(), visit(java_script_enabled=False)
    shifts = watch_shifts(scripted)
    begin(scripted, CHUNKED_USER)
    words(scripted, "Asking AniList… 500 titles so far, page 2.")
    begin(plain, CHUNKED_USER)
    words(plain, "Waiting for another visitor’s request to AniList…")
    for page in (scripted, plain):
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Picks for {CHUNKED_USER}")
        expect(page.get_by_role("link", name="Another list")).to_be_visible()
        expect(page.get_by_role("contentinfo")).to_have_count(0)
    gate.open()
    for page in (scripted, plain):
        arrived(page, CHUNKED_USER)
        expect(page).to_have_title(f"Picks for {CHUNKED_USER} – Hakken")
        expect(page.get_by_role("contentinfo")).to_be_visible()
    assert sum(shifts) <= MAX_SHIFT


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_when_the_rest_arrives(
    visit: Visit, sites: FakeUpstream, width: int, scripts: bool
) -> None:
    name = f"Still{width}{scripts}"
    sites.add_user(name, LIST)
    gate = sites.hold_responses(name)
    page = visit(java_script_enabled=scripts, viewport={"width": width, "height": 800})
    shifts = watch_shifts(page)
    begin(page, name)
    words(page, "Asking AniList for the list…")
    assert page.locator("main").evaluate("e => e.getBoundingClientRect().height") >= 800
    gate.open()
    arrived(page, name)
    if scripts:
        expect(page.locator(".synopsis").first).to_be_attached()
    expect(page.get_by_role("contentinfo")).to_be_visible()
    page.wait_for_timeout(200)
    assert sum(shifts) <= MAX_SHIFT


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_longer_words_move_nothing(visit: Visit, sites: FakeUpstream, width: int) -> None:
    name = f"Longer{width}"
    sites.add_user(name, LIST)
    gate = sites.hold_responses(name)
    page = visit(viewport={"width": width, "height": 800})
    begin(page, name)
    words(page, "Asking AniList for the list…")
    below = page.locator(".ghost").first
    before = below.bounding_box()
    longest = "Waiting for another visitor’s request to MyAnimeList… 25 seconds so far."
    page.locator(".asking p:visible").evaluate("(e, said) => { e.textContent = said; }", longest)
    assert below.bounding_box() == before
    gate.open()
    arrived(page, name)


@pytest.mark.parametrize("scripts", [True, False])
def test_half_of_the_rest_is_not_shown(
    visit: Visit, sites: FakeUpstream, server: str, scripts: bool
) -> None:
    name = f"Halfway{scripts}"
    sites.add_user(name, LIST)
    gate = sites.hold_responses(name)
    with requests.get(f"{server}/user/anilist/{name}", stream=True, timeout=120) as answer:
        pieces = answer.iter_content(None)
        start = next(pieces)
        gate.open()
        half, end = b"".join(pieces).split(b"</article>", 1)
    with serving_slowly(server, [start, half, b"</article>" + end]) as (address, go_on):
        page = visit(base_url=address, java_script_enabled=scripts)
        shifts = watch_shifts(page)
        begin(page, name)
        words(page, "Asking AniList for the list…")
        go_on.release()
        expect(page.locator(".card").first).to_be_attached()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Picks for {name}")
        assert page.locator(".arrived").is_hidden()
        words(page, "The list has arrived.")
        go_on.release()
        arrived(page, name)
    assert sum(shifts) <= MAX_SHIFT


@contextmanager
def serving_slowly(server: str, pieces: list[bytes]) -> Iterator[tuple[str, threading.Semaphore]]:
    """A server that sends a page piece by piece, each but the first when it is told to go on."""
    go_on = threading.Semaphore(1)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_page = self.path.startswith("/user/")
            answer = None if is_page else requests.get(server + self.path, timeout=120)
            self.send_response(200 if answer is None else answer.status_code)
            kind = "text/html; charset=utf-8" if answer is None else answer.headers["Content-Type"]
            self.send_header("Content-Type", kind)
            self.end_headers()
            for piece in pieces if answer is None else [answer.content]:
                if is_page:
                    go_on.acquire(timeout=120)
                self.wfile.write(piece)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as stub:
        threading.Thread(target=stub.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{stub.server_port}", go_on
        finally:
            go_on.release(len(pieces))
            stub.shutdown()


@pytest.mark.parametrize("scripts", [True, False])
def test_trouble_takes_the_place_of_the_words(
    visit: Visit, sites: FakeUpstream, scripts: bool
) -> None:
    name = f"Hidden{scripts}"
    sites.data.add_user(name, [], Fault.PRIVATE)
    gate = sites.hold_responses(name)
    page = visit(java_script_enabled=scripts)
    begin(page, name)
    words(page, "Asking AniList for the list…")
    gate.open()
    expect(page.get_by_role("heading", level=1)).to_have_text("This list is private")
    field = page.get_by_label("Your username")
    expect(field).to_have_value(name)
    expect(field).to_have_accessible_description(re.compile("is private"))
    expect(page.get_by_label("Your list as a file")).to_be_visible()
    title = "Error: This list is private" if scripts else f"Picks for {name}"
    expect(page).to_have_title(f"{title} – Hakken")
    # From here on as from any other page.
    sites.add_user(name, LIST)
    page.get_by_role("button", name="Find anime").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(rf"Picks for\s+{name}"))


@pytest.mark.parametrize("scripts", [True, False])
def test_back_while_waiting_and_forth(visit: Visit, sites: FakeUpstream, scripts: bool) -> None:
    name = f"Patient{scripts}"
    sites.add_user(name, LIST)
    gate = sites.hold_responses(name)
    page = visit(java_script_enabled=scripts)
    page.get_by_label("Your username").fill(name)
    page.get_by_role("button", name="Find anime").click(no_wait_after=True)
    words(page, "Asking AniList for the list…")
    page.go_back(wait_until="commit")
    button = page.get_by_role("button", name="Find anime")
    expect(button).to_be_visible()
    page.get_by_label("Your username").fill(name)
    gate.open()
    button.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(rf"Picks for\s+{name}"))
    page.go_back()
    expect(button).to_be_visible()
    page.go_forward()
    expect(page.locator(".card").first).to_be_visible()
    assert len([asked for asked in sites.requests if name in str(asked.body)]) == 1


def test_a_lost_connection_is_told(visit: Visit, sites: FakeUpstream, server: str) -> None:
    name = "Unlucky"
    sites.add_user(name, LIST)
    gate = sites.hold_responses(name)
    page = visit()
    # The answer as it is when the connection is cut in the middle.
    start = page.evaluate(
        """async address => {
          const {body} = await fetch(address);
          const reader = body.pipeThrough(new TextDecoderStream()).getReader();
          let text = "";
          while (!text.includes("for the list…</p>")) text += (await reader.read()).value;
          reader.cancel();
          return text;
        }""",
        f"/user/anilist/{name}",
    )
    gate.open()
    page.route(
        "**/user/anilist/*", lambda route: route.fulfill(body=start, content_type="text/html")
    )
    page.goto(f"/user/anilist/{name}")
    words(page, "The connection was lost before the list arrived.")
    page.unroute("**/user/anilist/*")
    page.get_by_role("link", name="Ask again").click()
    expect(page.locator(".card").first).to_be_visible()


@pytest.mark.parametrize("screen", SIZES)
def test_waiting_has_no_fault_that_a_machine_finds(
    visit: Visit, sites: FakeUpstream, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    name = re.sub(r"\W", "", request.node.callspec.id)
    sites.add_user(name, LIST)
    gate = sites.hold_responses(name)
    page = visit(**screen)
    begin(page, name)
    words(page, "Asking AniList for the list…")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults(page, SCHEMES) == []
    gate.open()
    arrived(page, name)
    assert faults(page, SCHEMES) == []
