from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from demo.fake_upstream import FakeUpstream
from tests.browser.test_streaming import MAX_SHIFT, watch_shifts
from tests.browser.uploads import upload_list
from tests.tiny_model import EXPLICIT, FLAGGED
from tests.web.fans import IDS, SCORED, regular_export
from tests.web.server import at, running_hakken

pytestmark = pytest.mark.browser

SMALL_TARGETS = """() => {
  const targets = "main button, main select, main input:not([type=hidden]), .choice, .top a";
  return [...document.querySelectorAll(targets)]
    .filter(element => element.checkVisibility() && element.getBoundingClientRect().height < 44)
    .map(element => element.outerHTML);
}"""

Visit = Callable[..., Page]


def titles(page: Page) -> list[str]:
    return page.get_by_role("listitem").get_by_role("heading", level=2).all_text_contents()


def open_sheet(page: Page, title: str) -> Locator:
    """Open what there is to say of a card."""
    page.get_by_role("button", name=f"More about {title}", exact=True).click()
    return page.get_by_role("dialog")


def ask_for(page: Page, username: str) -> None:
    page.get_by_label("Your username").fill(username)
    page.get_by_role("button", name="Find anime").click()


def test_upload_an_export_and_see_why(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "animelist.xml"
    file.write_bytes(regular_export())
    page = visit()
    upload_list(page, file)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Picks for Exporter")
    # Where there is nothing to share beside it, too, it stands above what follows.
    begins, lead = heading.bounding_box(), page.locator(".lead").bounding_box()
    assert begins is not None
    assert lead is not None
    assert begins["x"] == lead["x"]
    first_twenty = titles(page)
    assert len(first_twenty) == 20
    reasons = page.get_by_text(re.compile(r"^\s*Because you\s+gave"))
    expect(reasons.first).to_contain_text(re.compile(r"Anime no\. \d+\s(10|\d)"))
    reason = re.compile(r"You gave\s+(10|\d) to\s+Anime no\. \d+")
    expect(page.locator(".why").first).to_contain_text(reason)
    page.get_by_role("button", name="20 more titles").click()
    expect(page.get_by_role("listitem").get_by_role("heading", level=2).nth(20)).to_be_visible()
    assert titles(page)[:20] == first_twenty
    page.get_by_role("button", name="Predicted score").click()
    current = page.get_by_role("button", name="Predicted score")
    expect(current).to_have_attribute("aria-current", "true")


def test_enter_in_a_filter_of_a_file_s_picks_applies_it(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "animelist.xml"
    file.write_bytes(regular_export())
    page = visit()
    upload_list(page, file)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("From year").fill("2000")
    page.get_by_label("From year").press("Enter")
    expect(page.get_by_role("button", name="From 2000")).to_be_visible()
    page.get_by_role("button", name="Predicted score").click()
    expect(page.get_by_role("button", name="From 2000")).to_be_visible()


def test_a_username_leads_to_the_same_page_without_scripts(visit: Visit) -> None:
    found = []
    for scripts in (True, False):
        page = visit(java_script_enabled=scripts)
        ask_for(page, "Regular")
        page.wait_for_url("**/user/anilist/Regular")
        expect(page).to_have_title("Picks for Regular – Hakken")
        page.get_by_role("link", name="20 more titles").click()
        page.wait_for_url(re.compile(r"/user/anilist/Regular\?n=40(#rank-21)?$"))
        expect(page.locator("#rank-21")).to_be_attached()
        found.append(titles(page))
    assert found[0] == found[1]
    assert len(found[0]) > 20


def test_waiting_is_told(visit: Visit) -> None:
    page = visit()
    expect(page.get_by_role("status").first).to_be_attached()
    # Stay here: Playwright looks at nothing while a page is on its way.
    page.evaluate("addEventListener('submit', event => event.preventDefault())")
    ask_for(page, "Regular")
    status = page.get_by_role("status").filter(has_text="Reading")
    expect(status).to_have_text("Reading Regular’s list from AniList…")


def test_who_stops_waiting_can_ask_again(visit: Visit) -> None:
    page = visit()
    status = page.get_by_role("status").filter(has_text="Reading")
    address = "**/recommend?*"
    page.route(address, lambda route: route.fulfill(status=204))  # which leaves the page there
    with page.expect_request(address):
        ask_for(page, "Regular")
    expect(status).to_be_visible()
    page.keyboard.press("Escape")
    expect(status).to_have_count(0)
    with page.expect_request(address):
        ask_for(page, "Regular")
    page.unroute(address)
    page.route(address, lambda _: None)  # it never comes
    with page.expect_request(address):
        page.get_by_label("Your username").fill("NoScores")
        page.get_by_role("button", name="Find anime").click(no_wait_after=True)
    page.context.new_cdp_session(page).send("Page.stopLoading")
    expect(status).to_have_count(0)


def test_a_wrong_name_is_told_beside_its_field(visit: Visit) -> None:
    page = visit()
    ask_for(page, "Nobody99")
    expect(page.get_by_role("heading", level=1)).to_have_text("No such user")
    field = page.get_by_label("Your username")
    expect(field).to_have_value("Nobody99")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("AniList has no user called Nobody99"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_narrow_screen(visit: Visit, scheme: str) -> None:
    width = "document.documentElement.scrollWidth"
    page = visit(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    anime = f"/anime/{SCORED[0]}"
    for address in (
        "/",
        anime,
        "/about",
        "/user/anilist/Regular",
        "/user/anilist/Nobody99",
        "/together",
        "/together/anilist/Regular/anilist/NoScores",
        "/together/anilist/Regular/anilist/Nobody99",
        "/problems/bug",
    ):
        page.goto(address)
        assert page.evaluate(width) == 320, address
        small = page.evaluate(SMALL_TARGETS)
        assert small == [], address
        page.set_viewport_size({"width": 800, "height": 640})
        assert page.evaluate(width) == 800, address
        page.set_viewport_size({"width": 320, "height": 640})
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    level = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert (level < 150) if scheme == "dark" else (level > 600)


def test_a_missing_poster_leaves_its_initial(visit: Visit) -> None:
    page = visit("/user/anilist/Regular")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=2)).first
    expect(card.get_by_text("A", exact=True)).to_be_visible()
    expect(card.locator("img")).to_be_hidden()


def test_the_keyboard_reaches_the_content_first(visit: Visit) -> None:
    page = visit("/user/anilist/Regular")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_synopses_and_pictures_come_later_and_from_here(visit: Visit) -> None:
    page = visit("/user/anilist/Regular?n=100")
    synopses = page.locator(".card .synopsis:not(:empty)")
    card = page.locator(".card:has(.synopsis:not(:empty))").first
    # Over the link that fills the card.
    card.get_by_role("button", name="More about").click()
    expect(page).to_have_url(re.compile("/user/anilist/Regular"))
    expect(card.locator(".synopsis p").first).to_have_text("About it.")
    expect(card.locator(".synopsis p").first).to_be_visible()
    assert page.locator(".card").count() > synopses.count()  # AniList does not know them all


def test_below_a_root_they_come_later_too(
    visit: Visit, sites: FakeUpstream, tiny_model_with_als: Path, tmp_path: Path
) -> None:
    environment = at(tiny_model_with_als, tmp_path) | sites.environment()
    environment |= {"WEB_CONCURRENCY": "1", "SCRIPT_NAME": "/hakken"}
    with running_hakken(environment) as server:
        page = visit("/hakken/user/anilist/Regular?n=100", base_url=server.url)
        expect(page.locator(".card .synopsis:not(:empty)").first).to_be_attached()
        page.context.close()


def test_a_card_leads_to_its_anime_with_its_synopsis(visit: Visit) -> None:
    page = visit("/user/anilist/Regular")
    card = page.locator(".card:has(.synopsis:not(:empty))").first
    title = card.get_by_role("heading", level=2)
    name = title.text_content()
    assert name
    title.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name.strip())
    expect(page.locator(".lone .synopsis p").first).to_have_text("About it.")


@pytest.mark.parametrize("width", [390, 1440])
def test_a_long_synopsis_moves_nothing_when_it_comes_and_opens(
    visit: Visit, sites: FakeUpstream, width: int
) -> None:
    anime_id = IDS[{390: FLAGGED, 1440: EXPLICIT}[width]]  # on no other page, so not known yet
    sites.data.synopses[anime_id] = "\n\n".join(["A word after another of it. " * 20] * 3)
    page = visit(viewport={"width": width, "height": 900})
    shifts = watch_shifts(page)
    page.goto(f"/anime/{anime_id}")
    rest = page.get_by_role("button", name="Read on")
    expect(rest).to_be_visible()
    expect(page.get_by_role("link", name="Trailer")).to_be_visible()
    assert sum(shifts) <= MAX_SHIFT
    rest.press("Enter")
    expect(rest).to_have_count(0)
    box = page.locator(".lone .synopsis")
    expect(box).to_be_focused()
    assert box.evaluate("e => e.scrollHeight <= e.clientHeight")
    # Who comes later has all of it from the start.
    page.reload()
    expect(page.locator(".lone .synopsis p")).to_have_count(3)
    expect(rest).to_have_count(0)


def test_pick_by_typing(visit: Visit) -> None:
    page = visit("/pick")
    page.get_by_label("Anime you have seen").press_sequentially(f"anime no {SCORED[0]}")
    expect(page.get_by_role("status").first).to_have_text(re.compile("anime found"))
    found = page.get_by_role("list", name="Search results")
    found.get_by_role("group", name=f"Anime no. {SCORED[0]}", exact=True).get_by_label(
        "Loved it"
    ).press("Space")
    page.get_by_role("button", name="Show what to watch next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Picks for your list")
    assert page.url.endswith(f"/picks/{SCORED[0]}-9")
    page.get_by_role("link", name="Change your picks").click()
    expect(page.get_by_role("heading", name="Your picks (1)")).to_be_visible()
    page.get_by_role("link", name="Remove").click()
    expect(page.get_by_role("heading", name=re.compile("Your picks"))).to_have_count(0)


def test_pick_without_scripts(visit: Visit) -> None:
    page = visit("/", java_script_enabled=False)
    page.get_by_label("Anime you have seen").fill(f"anime no {SCORED[0]}")
    page.get_by_role("button", name="Search").click()
    page.get_by_label(f"Your score for Anime no. {SCORED[0]}", exact=True).select_option("9")
    page.get_by_role("button", name=f"Add Anime no. {SCORED[0]}", exact=True).click()
    expect(page.get_by_role("heading", name="Your picks (1)")).to_be_visible()
    page.get_by_role("link", name="Show what to watch next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Picks for your list")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_picking_fits_a_small_screen(visit: Visit, scheme: str) -> None:
    page = visit(
        f"/pick?picks={SCORED[0]}-9&q=anime",
        viewport={"width": 320, "height": 640},
        color_scheme=scheme,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate(SMALL_TARGETS) == []


@pytest.mark.parametrize("scripts", [True, False])
def test_filters_and_marks_stand_in_the_address(visit: Visit, scripts: bool) -> None:
    page = visit("/user/anilist/Regular", java_script_enabled=scripts)
    before = titles(page)
    name = re.compile(rf"^Not for me\s*: {re.escape(before[0])}$")
    open_sheet(page, before[0]).get_by_role("link", name=name).click()
    page.wait_for_url(re.compile(r"Regular\?hide=\d+$"))
    sheet = open_sheet(page, before[1])
    sheet.get_by_label(re.compile(rf"seen {re.escape(before[1])}: your score")).select_option("10")
    sheet.get_by_role("button", name=f"Save the score of {before[1]}", exact=True).click()
    page.wait_for_url(re.compile(r"\?hide=\d+&seen=\d+:10$"))
    assert not {*before[:2]} & {*titles(page)}
    page.get_by_role("button", name="Filters", exact=True).click()
    page.get_by_role("checkbox", name=re.compile(r"^TV\b")).press("Space")
    page.get_by_label("How well known").press("ArrowRight")
    told = page.locator("#f-told")
    expect(told).to_have_text(re.compile("Without the" if scripts else "Everything"))
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(re.compile(r"\?type=tv&popularity=1&hide=\d+&seen=\d+:10$"))
    expect(page.get_by_text("Filters (2 on)")).to_be_visible()
    page.go_back()
    page.wait_for_url(re.compile(r"Regular\?hide=\d+&seen=\d+:10$"))
