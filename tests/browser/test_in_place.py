"""Orders, filters and marks change the page where it is; the back button and Undo lead back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.uploads import upload_list
from tests.web.fans import regular_export

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
FAN = "/user/anilist/Regular"


def titles(page: Page) -> list[str]:
    return page.locator("ol.cards h2").all_text_contents()


def mark_document(page: Page) -> None:
    """Leave something that a new document would not have."""
    page.evaluate("window.stillHere = true")


def is_same_document(page: Page) -> bool:
    return page.evaluate("window.stillHere === true") is True


def open_sheet(page: Page, title: str) -> None:
    page.get_by_role("button", name=f"More about {title}", exact=True).click()


def test_a_mark_is_made_in_place_and_undone(visit: Visit) -> None:
    page = visit(f"{FAN}?n=40")
    mark_document(page)
    before = titles(page)
    page.locator(".card").nth(9).scroll_into_view_if_needed()
    scrolled = page.evaluate("scrollY")
    assert scrolled > 0
    open_sheet(page, before[9])
    page.get_by_role("dialog").get_by_role("link", name="Not for me").click()
    expect(page.locator(".toast")).to_contain_text(f"Hidden: {before[9]}.")
    expect(page).to_have_url(re.compile(r"n=40&hide=\d+$"))
    after = titles(page)
    assert before[9] not in after
    assert after[:9] == before[:9]
    assert page.evaluate("scrollY") == scrolled
    focused = page.evaluate("document.activeElement.closest('.card')?.id")
    assert focused == "rank-10"
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.locator("ol.cards h2").nth(9)).to_have_text(before[9])
    expect(page).to_have_url(re.compile(r"\?n=40$"))
    assert titles(page) == before
    expect(page.locator("#rank-10 h2 a")).to_be_focused()
    assert is_same_document(page)


def test_what_is_pressed_while_a_change_is_under_way_comes_after_it(visit: Visit) -> None:
    page = visit(f"{FAN}?n=40")
    mark_document(page)
    before = titles(page)
    held: list[Route] = []
    page.route(re.compile(r"hide=\d+$"), lambda route: held.append(route), times=1)
    dialog = page.get_by_role("dialog")
    with page.expect_request(re.compile(r"hide=\d+$")):
        open_sheet(page, before[0])
        dialog.get_by_role("link", name="Not for me").click()
    for _ in range(2):
        dialog.get_by_role("link", name="Not for me").click()
    page.keyboard.press("Escape")
    open_sheet(page, before[1])
    dialog.get_by_role("link", name="Not for me").click()
    page.keyboard.press("Escape")
    open_sheet(page, before[2])
    dialog.get_by_label("your score").select_option("10")
    dialog.get_by_role("button", name="Save the score of").click()
    held[0].continue_()
    expect(page).to_have_url(re.compile(r"hide=\d+,\d+&seen=\d+:10$"))
    expect(page.locator(".toast")).to_contain_text(f"Saved: {before[2]}.")
    assert not {*before[:3]} & {*titles(page)}
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(re.compile(r"hide=\d+,\d+$"))
    assert is_same_document(page)


def test_a_score_from_a_sheet_is_counted(visit: Visit) -> None:
    page = visit(f"{FAN}?n=40")
    mark_document(page)
    title = titles(page)[0]
    open_sheet(page, title)
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("your score").select_option("10")
    dialog.get_by_role("button", name="Save the score of").click()
    expect(page.locator(".toast")).to_contain_text(f"Saved: {title}.")
    expect(page).to_have_url(re.compile(r"seen=\d+:10$"))
    assert title not in titles(page)
    assert is_same_document(page)


def test_orders_filters_and_the_back_button(visit: Visit) -> None:
    page = visit(FAN)
    mark_document(page)
    before = titles(page)
    page.get_by_role("link", name="Hidden gems", exact=True).click()
    expect(page.locator("[aria-current=true]").first).to_have_text(re.compile("Hidden gems"))
    expect(page).to_have_url(re.compile("order=discover$"))
    expect(page.get_by_role("link", name="Hidden gems", exact=True)).to_be_focused()
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("checkbox", name=re.compile(r"^TV\b")).press("Space")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("type=tv"))
    expect(page.get_by_role("button", name="Filters (1 on)")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Filters", exact=True)).to_be_visible()
    page.go_back()
    expect(page.locator(".shelf").first).to_be_visible()
    assert titles(page) == before
    page.go_forward()
    expect(page).to_have_url(re.compile("order=discover$"))
    expect(page.locator("[aria-current=true]").first).to_have_text(re.compile("Hidden gems"))
    assert titles(page) != before
    assert is_same_document(page)


def test_the_language_changes_with_what_was_changed(visit: Visit) -> None:
    page = visit(f"{FAN}?n=40&lang=en")
    page.get_by_role("link", name="Hidden gems", exact=True).click()
    expect(page).to_have_url(re.compile("order=discover"))
    language = page.locator(".foot a[hreflang=ja]")
    expect(language).to_have_attribute("href", re.compile("order=discover&lang=ja$"))
    mark_document(page)
    # A choice of another tab.
    page.context.add_cookies([{"name": "lang", "value": "ja", "url": page.url}])
    page.get_by_role("link", name="Predicted score").click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    assert not is_same_document(page)
    page.locator(".foot a[hreflang=en]").click()
    expect(page.get_by_role("link", name="Predicted score")).to_have_attribute(
        "aria-current", "true"
    )


def test_a_jump_within_the_page_is_no_other_page(visit: Visit) -> None:
    page = visit(FAN)
    mark_document(page)
    skip = page.get_by_role("link", name="Skip to the content")
    skip.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))
    before = titles(page)
    order = page.get_by_role("link", name="Hidden gems", exact=True)
    order.click()
    expect(order).to_have_attribute("aria-current", "true")
    skip.press("Enter")
    page.go_back()
    expect(page).to_have_url(re.compile("order=discover$"))
    assert page.locator(".toast").text_content() == "The picks have changed."
    page.go_back()
    expect(page).to_have_url(re.compile("#main$"))
    expect(page.locator("ol.cards h2")).to_have_text(before)
    assert is_same_document(page)


def test_more_titles_come_below(visit: Visit) -> None:
    page = visit(f"{FAN}?order=discover")
    mark_document(page)
    before = titles(page)
    page.get_by_role("link", name="20 more titles").click()
    expect(page.locator("#rank-21")).to_be_attached()
    assert titles(page)[:20] == before
    focused = page.evaluate("document.activeElement.closest('.card')?.id")
    assert focused == "rank-21"
    assert is_same_document(page)


def test_a_file_s_picks_change_in_place_too(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "animelist.xml"
    file.write_bytes(regular_export())
    page = visit()
    upload_list(page, file)
    expect(page).to_have_title(re.compile("^Picks for Exporter"))
    mark_document(page)
    before = titles(page)
    page.get_by_role("button", name="Predicted score").click()
    expect(page.locator("[aria-current=true]").first).to_have_text(re.compile("Predicted score"))
    assert titles(page) != before
    page.go_back()
    expect(page.locator("[aria-current=true]").first).to_have_text(re.compile("Best match"))
    assert titles(page) == before
    assert is_same_document(page)


def test_what_fails_in_place_is_sent_again_with_its_button(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "animelist.xml"
    file.write_bytes(regular_export())
    page = visit()
    upload_list(page, file)
    before = titles(page)
    page.route("**/upload", lambda route: route.abort(), times=1)
    mark_document(page)
    open_sheet(page, before[0])
    page.get_by_role("dialog").get_by_role("button", name="Not for me").click()
    expect(page.get_by_role("button", name=f"Hidden: {before[0]}")).to_be_visible()
    assert before[0] not in titles(page)
    assert not is_same_document(page)


def test_a_file_s_picks_come_back_from_the_tab_alone(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "animelist.xml"
    file.write_bytes(regular_export())
    page = visit()
    upload_list(page, file)
    before = titles(page)
    page.get_by_role("button", name="Predicted score").click()
    current = page.locator("[aria-current=true]").first
    expect(current).to_have_text(re.compile("Predicted score"))
    changed = titles(page)
    page.locator("ol.cards h2 a").first.click()
    page.wait_for_url("**/anime/*")
    page.go_back()
    expect(current).to_have_text(re.compile("Predicted score"))
    expect(page.locator("ol.cards h2")).to_have_text(changed)
    page.reload()
    expect(current).to_have_text(re.compile("Predicted score"))
    page.go_back()
    expect(page.locator("ol.cards h2")).to_have_text(before)
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    page.go_back()
    page.wait_for_url("**/")
    page.goto("/upload")  # in an entry of the history that knows no list
    page.wait_for_url("**/#upload")


def test_without_scripts_the_address_of_a_file_s_picks_starts_over(visit: Visit) -> None:
    page = visit("/upload", java_script_enabled=False)
    page.wait_for_url("**/#upload")


def test_what_is_refused_is_told_and_the_page_stays(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "animelist.xml"
    file.write_bytes(regular_export())
    page = visit()
    for is_upload in (False, True):
        if is_upload:
            page.goto("/")
            upload_list(page, file)
        else:
            page.goto(f"{FAN}?n=40")
        mark_document(page)
        before = titles(page)
        page.get_by_role("button", name="Filters").click()
        page.get_by_text("Studio, source and season").click()
        studio = page.get_by_label("Made by this studio")
        studio.fill("スタジオジブリ")
        page.get_by_role("button", name="Show", exact=True).click()
        toast = page.locator(".toast")
        expect(toast).to_have_text(re.compile("“studio” should be studios that Hakken knows"))
        assert toast.evaluate("toast => toast.matches(':popover-open')")  # above the filters
        expect(studio).to_have_value("スタジオジブリ")
        assert titles(page) == before
        studio.fill("Madhouse")
        expect(toast).to_be_empty()
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.get_by_role("button", name="Filters (1 on)")).to_be_visible()
        expect(toast).not_to_be_in_viewport()
        assert is_same_document(page)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_sheet_opens_over_the_page_and_moves_nothing(visit: Visit, scripts: bool) -> None:
    page = visit(FAN, java_script_enabled=scripts, viewport={"width": 390, "height": 800})
    card = page.locator("ol.cards .card").first
    box = card.bounding_box()
    open_sheet(page, titles(page)[0])
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_text("You would give it")).to_be_visible()
    assert card.bounding_box() == box
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    button = page.get_by_role("button", name=f"More about {titles(page)[0]}", exact=True)
    expect(button).to_be_focused()


@pytest.mark.parametrize(("width", "most"), [(390, 350), (1440, 320)])
def test_the_first_poster_is_on_the_first_screen(visit: Visit, width: int, most: int) -> None:
    for address in (FAN, f"{FAN}?n=40", "/example", "/together/anilist/Regular/anilist/NoScores"):
        page = visit(address, viewport={"width": width, "height": 800})
        box = page.locator(".poster").first.bounding_box()
        assert box is not None
        assert box["y"] < most, address
        assert abs(box["width"] / box["height"] - 225 / 318) < 0.01


def test_the_picks_without_a_reason_and_back(visit: Visit) -> None:
    page = visit(f"{FAN}?n=40")
    mark_document(page)
    before = titles(page)
    open_sheet(page, before[0])
    page.get_by_role("dialog").locator(".apart a").first.click()
    expect(page).to_have_url(re.compile(r"n=40&ignore=\d+$"))
    expect(page.locator(".toast")).to_contain_text("The picks have changed.")
    expect(page.get_by_role("link", name=re.compile("^Without your"))).to_be_visible()
    assert titles(page) != before
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(re.compile(r"\?n=40$"))
    expect(page.locator("ol.cards h2")).to_have_text(before)  # which follows the address
    assert is_same_document(page)


def test_surprises_are_drawn_in_place(visit: Visit) -> None:
    page = visit(FAN)
    mark_document(page)
    best = set(titles(page))
    page.get_by_role("link", name="Surprise me").click()
    expect(page).to_have_url(re.compile(r"surprise=\d+$"))
    expect(page.locator("ol.cards .card")).to_have_count(1)
    page.reload()
    drawn = titles(page)
    page.reload()
    assert titles(page) == drawn
    page.get_by_role("link", name="All picks").click()
    expect(page.locator(".shelf").first).to_be_visible()
    assert set(titles(page)) == best


@pytest.mark.parametrize("scripts", [True, False])
def test_grid_or_list(visit: Visit, scripts: bool) -> None:
    page = visit(f"{FAN}?n=40", java_script_enabled=scripts)
    card = page.locator("ol.cards .card").first
    poster = card.locator(".poster")
    facts = card.locator(".listed")
    expect(facts).to_be_hidden()
    page.get_by_role("link", name="List", exact=True).click()
    expect(facts).to_be_visible()
    expect(page.get_by_role("link", name="List", exact=True)).to_have_attribute(
        "aria-current", "true"
    )
    box, whole = poster.bounding_box(), card.bounding_box()
    assert box
    assert whole
    assert abs(box["width"] / box["height"] - 225 / 318) < 0.01
    assert whole["width"] > 3 * box["width"]
    if not scripts:
        expect(page).to_have_url(re.compile("view=list$"))
        return
    expect(page).to_have_url(re.compile(r"\?n=40$"))
    page.goto(f"{FAN}?order=discover")  # kept on the device
    expect(page.locator(".listed").first).to_be_visible()
    page.goto(f"{FAN}?n=40&view=grid")  # an address says what it says
    expect(facts).to_be_hidden()
    page.get_by_role("link", name="Grid", exact=True).click()
    page.goto(f"{FAN}?n=40")
    expect(facts).to_be_hidden()


def test_a_mouse_moves_a_shelf(visit: Visit) -> None:
    page = visit(FAN, viewport={"width": 900, "height": 800}, reduced_motion="reduce")
    row = page.locator("ol.cards.row")
    forward = page.locator(".shelf-top").first.locator("[data-scroll='1']")
    forward.click()
    assert row.evaluate("row => row.scrollLeft") > 300
    page.locator(".shelf-top").first.locator("[data-scroll='-1']").click()
    assert row.evaluate("row => row.scrollLeft") == 0
    assert forward.evaluate("button => button.tabIndex") == -1
