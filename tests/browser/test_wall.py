"""Tapping posters, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.fans import SCORED

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
COUNT_SHIFTS = """window.shifts = 0;
new PerformanceObserver(list => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifts += each.value;
}).observe({type: "layout-shift", buffered: true});"""


@pytest.mark.parametrize("scripts", [True, False])
def test_taps_on_posters_lead_to_picks(visit: Visit, scripts: bool) -> None:
    page = visit("/pick", java_script_enabled=scripts, viewport={"width": 390, "height": 800})
    posters = page.locator(".wall .taps")
    assert posters.count() >= 5
    for at in range(3):
        posters.nth(at).locator(".poster").scroll_into_view_if_needed()
        box = posters.nth(at).locator(".poster").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    # The label lies over its radio.
    posters.nth(3).locator(".tap.cross").click()
    expect(posters.nth(0).get_by_label("Loved it")).to_be_checked()
    if scripts:
        expect(page.locator("[data-tapped]")).to_have_text(re.compile(r"^4 tapped\. 6 more"))
        posters.nth(3).locator(".tap.cross").click()
        expect(page.locator("[data-tapped]")).to_have_text(re.compile(r"^3 tapped\. 7 more"))
    page.get_by_role("button", name="Show what to watch next").click()
    page.wait_for_url(re.compile(r"/picks/\d+-9\.\d+-9\.\d+-9" + ("$" if scripts else r"\.\d+-4$")))
    expect(page.get_by_role("heading", level=1)).to_have_text("Picks for your list")


def test_titles_are_found_and_tapped_without_a_reload(visit: Visit) -> None:
    page = visit("/", viewport={"width": 390, "height": 800})
    page.add_init_script(COUNT_SHIFTS)
    page.goto("/")
    page.evaluate("window.stillHere = true")
    field = page.get_by_role("searchbox")
    found = page.get_by_role("list", name="Search results")
    progress = page.locator("[data-tapped]")
    asked = SCORED[:3]
    for count, anime_id in enumerate(asked, 1):
        field.press("Control+a")
        field.press_sequentially(f"anime no {anime_id}")
        tile = found.get_by_role("group", name=f"Anime no. {anime_id}", exact=True)
        tile.get_by_label("Loved it").press("Space")
        expect(progress).to_have_text(re.compile(rf"^{count} tapped\. {10 - count} more"))
    field.press("Enter")  # what was tapped is not lost
    field.press("Control+a")
    field.press("Backspace")
    expect(found).to_be_hidden()
    expect(page.get_by_label("Loved it").and_(page.locator(":checked"))).to_have_count(3)
    assert page.evaluate("window.stillHere") is True
    assert page.evaluate("window.shifts") <= 0.02
    page.get_by_role("button", name="Show what to watch next").click()
    page.wait_for_url(re.compile(r"/picks/\d+-9\.\d+-9\.\d+-9$"))
    assert {int(n) for n in re.findall(r"(\d+)-9", page.url)} == set(asked)


def test_an_anime_that_is_found_twice_counts_once(visit: Visit) -> None:
    page = visit("/pick")
    wall = page.locator("[data-known]")
    first = wall.get_by_role("group").first
    title = first.locator("legend").text_content()
    assert title
    first.get_by_label("It was fine").press("Space")
    page.get_by_role("searchbox").fill(title)
    tile = page.get_by_role("list", name="Search results").get_by_role(
        "group", name=title, exact=True
    )
    expect(tile.get_by_label("It was fine")).to_be_checked()
    tile.get_by_label("Not for me").press("Space")
    expect(page.locator("[data-tapped]")).to_have_text(re.compile("^1 tapped"))
    page.get_by_role("searchbox").fill("")
    expect(wall.get_by_role("group", name=title, exact=True)).to_have_count(1)
    page.get_by_role("button", name="Show what to watch next").click()
    page.wait_for_url(re.compile(r"/picks/\d+-4$"))


def test_a_search_that_fails_leaves_nothing_dead(visit: Visit) -> None:
    page = visit("/pick")
    page.route("**/api/v1/anime?*", lambda route: route.fulfill(status=503, json={}), times=1)
    status = page.locator("[data-search-status]")
    field = page.get_by_role("searchbox")
    field.fill("anime")
    expect(status).to_have_text("The search does not answer. Try again in a moment.")
    expect(page.locator("[data-found]")).to_be_hidden()
    field.press("Enter")
    expect(status).to_have_text(re.compile("anime found$"))
    expect(page.locator("[data-found] .card").first).to_be_visible()


def test_nine_picks_are_told_with_what_is_tapped(visit: Visit) -> None:
    picks = ".".join(f"{n}-9" for n in SCORED[:8])
    page = visit(f"/pick?picks={picks}", forced_colors="active")
    told, loved = page.locator("[data-tapped]"), page.get_by_label("Loved it").first
    expect(told).to_have_text("8 picked. 2 more make the picks yours.")
    sign = loved.locator("+ span")
    colour = "sign => getComputedStyle(sign).backgroundColor"
    before = sign.evaluate(colour)
    loved.press("Space")
    expect(told).to_have_text("9 picked. One more makes the picks yours.")
    assert sign.evaluate(colour) != before  # where the system chooses the colours, too
    loved.press("Space")
    expect(told).to_have_text("8 picked. 2 more make the picks yours.")
    loved.press("Space")
    expect(loved).to_be_checked()


def test_taps_go_along_with_whatever_else_is_done_on_the_page(visit: Visit) -> None:
    scored, removed, tapped = SCORED[0], SCORED[1], SCORED[2:6]
    page = visit(f"/pick?picks={scored}-9.{removed}-8")
    rest = [*tapped]

    def tap() -> None:
        page.locator(f"#tick-{rest.pop()}").press("Space")

    tap()
    page.get_by_label(f"Your score for Anime no. {scored}", exact=True).select_option("5")
    page.get_by_role("button", name=f"Change Anime no. {scored}", exact=True).click()
    expect(page.get_by_role("heading", name="Your picks (3)")).to_be_visible()
    tap()
    page.get_by_role("link", name=f"Remove Anime no. {removed}", exact=True).click()
    expect(page.get_by_role("heading", name="Your picks (3)")).to_be_visible()
    tap()
    page.get_by_role("link", name="English titles").click()
    expect(page.get_by_role("heading", name="Your picks (4)")).to_be_visible()
    tap()
    page.get_by_role("link", name="Show what to watch next").click()
    page.wait_for_url(re.compile(r"/picks/[\d.-]+\?title=english$"))
    picks = re.findall(r"(\d+)-(\d+)", page.url)
    assert {int(n): int(score) for n, score in picks} == {scored: 5} | dict.fromkeys(tapped, 7)


@pytest.mark.parametrize(("width", "most"), [(390, 470), (1440, 320)])
def test_the_wall_is_on_the_first_screen_below_the_name(
    visit: Visit, width: int, most: int
) -> None:
    page = visit("/", viewport={"width": width, "height": 800})
    name = page.get_by_label("Your username").bounding_box()
    box = page.locator(".poster").first.bounding_box()
    assert name
    assert box
    assert name["y"] + name["height"] < box["y"] < most


def test_a_wall_by_keyboard(visit: Visit) -> None:
    page = visit("/pick")
    page.locator(".wall input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/picks/\d+-7$"))
