"""What is chosen on a device and kept there: the theme, the keys, and nothing unasked."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
FAN = "/user/anilist/Regular"
LEVEL = """() => getComputedStyle(document.documentElement).backgroundColor
  .match(/\\d+/g).slice(0, 3).reduce((sum, each) => sum + Number(each), 0)"""
FIRST_PAINT = """window.themeAtPaint = new Promise((resolve) => new PerformanceObserver(
  () => resolve(document.documentElement.dataset.theme)
).observe({type: "paint", buffered: true}));"""


def focused_card(page: Page) -> str | None:
    found: str | None = page.evaluate("document.activeElement.closest('.card')?.dataset.anime")
    return found


def test_a_theme_is_chosen_kept_and_there_before_paint(visit: Visit) -> None:
    page = visit("/", color_scheme="light")
    page.add_init_script(FIRST_PAINT)
    assert page.evaluate(LEVEL) > 600
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("radio", name="As the device")).to_be_checked()
    page.get_by_role("radio", name="Dark").check(force=True)
    assert page.evaluate(LEVEL) < 150
    colours = page.eval_on_selector_all("meta[name=theme-color]", "all => all.map(m => m.content)")
    assert len(set(colours)) == 1
    page.goto("/about")
    assert page.evaluate(LEVEL) < 150
    # A promise: Playwright's own waiting evaluates text in the page, which its policy forbids.
    assert page.evaluate("window.themeAtPaint") == "dark"
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    page.get_by_role("radio", name="As the device").check(force=True)
    assert page.evaluate(LEVEL) > 600
    assert page.evaluate("Object.keys(localStorage)") == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Settings")).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_against_that_of_the_device(visit: Visit, theme: str) -> None:
    page = visit("/", color_scheme="dark" if theme == "light" else "light")
    page.evaluate(f"localStorage.setItem('hakken.theme', '{theme}')")
    page.goto(FAN)
    assert (page.evaluate(LEVEL) > 600) is (theme == "light")


def test_without_scripts_nothing_is_offered_that_does_nothing(visit: Visit) -> None:
    page = visit("/", java_script_enabled=False, viewport={"width": 390, "height": 800})
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("button", name="Settings")).to_have_count(0)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Season").click()
    page.wait_for_url("**/season")
    expect(page.get_by_role("button", name="Menu")).to_be_visible()


def test_the_menu_of_a_phone_by_keyboard(visit: Visit) -> None:
    page = visit("/", viewport={"width": 320, "height": 640})
    page.get_by_role("button", name="Menu").press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Home")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Menu")).to_be_focused()
    expect(page.get_by_role("link", name="Home")).to_have_count(0)


def test_keys_go_from_card_to_card(visit: Visit) -> None:
    page = visit(f"{FAN}?n=40")
    cards = page.eval_on_selector_all(".card", "all => all.map(card => card.dataset.anime)")
    page.keyboard.press("j")
    assert focused_card(page) == cards[0]
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert focused_card(page) == cards[2]
    page.keyboard.press("k")
    assert focused_card(page) == cards[1]
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/anime/{cards[1]}")


def test_slash_searches_here_or_where_a_search_is(visit: Visit) -> None:
    page = visit("/pick")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("/")
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    page.keyboard.type("j/k?")
    expect(field).to_have_value("j/k?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    page.goto(FAN)
    page.keyboard.press("/")
    page.wait_for_url("**/pick")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_the_list_of_keys_can_switch_them_off(visit: Visit) -> None:
    page = visit(FAN)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="On this device")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_text("next card")).to_be_visible()
    page.keyboard.press("j")  # no key reaches what is under the dialog
    assert focused_card(page) is None
    dialog.get_by_role("checkbox", name="Single keys").press("Space")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.reload()
    for key in ("?", "j", "/"):
        page.keyboard.press(key)
    assert focused_card(page) is None
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert re.search("Regular$", page.url)
    page.get_by_role("button", name="Settings").press("Enter")
    page.get_by_role("checkbox", name="Single keys").press("Space")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert focused_card(page) is not None
