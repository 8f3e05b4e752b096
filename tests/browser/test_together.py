"""Two fans in a real browser: with and without scripts, by keyboard, on small and huge screens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]

PAIR = "/together/anilist/Regular/anilist/NoScores"


def cards(page: Page) -> list[str]:
    return page.locator(".card h2").all_text_contents()


@pytest.mark.parametrize("scripts", [True, False])
def test_from_the_form_to_what_both_would_enjoy(visit: Visit, scripts: bool) -> None:
    page = visit("/", java_script_enabled=scripts)
    page.get_by_role("link", name="Compare two fans").click()
    one = page.get_by_role("group", name="One fan")
    other = page.get_by_role("group", name="The other")
    one.get_by_label("Username").fill("Regular")
    other.get_by_label("Username").fill("NoScores")
    other.get_by_label("Site").select_option("AniList")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**{PAIR}")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("What Regular and NoScores would both enjoy")
    before = cards(page)
    assert len(before) == 20
    page.get_by_role("button", name=f"More about {before[0]}", exact=True).click()
    page.get_by_role("link", name=re.compile(rf"^Not for us\s*: {re.escape(before[0])}$")).click()
    page.wait_for_url(re.compile(r"\?hide=\d+$"))
    expect(page.locator(".card h2").first).to_have_text(before[1])
    assert cards(page)[:5] == before[1:6]
    page.get_by_role("link", name=re.compile("^Hidden: ")).click()
    page.wait_for_url(f"**{PAIR}")
    page.get_by_role("link", name="Hidden gems").click()
    page.wait_for_url("**?order=discover")
    page.go_back()
    expect(page.locator(".card h2")).to_have_text(before)
    page.get_by_role("button", name="Filters", exact=True).click()
    page.get_by_role("checkbox", name=re.compile(r"^TV\b")).press("Space")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**?type=tv")
    expect(page.get_by_text("Filters (1 on)")).to_be_visible()


def test_by_keyboard_alone(visit: Visit) -> None:
    page = visit("/together")
    expect(page.get_by_role("group", name="One fan").get_by_label("Username")).to_be_focused()
    page.keyboard.type("Regular")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.type("NoScores")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PAIR}")
    page.locator(".taste summary").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Where they disagree most").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Where they disagree most")).to_be_in_viewport()


def test_trouble_stands_beside_the_name_that_it_is_about(visit: Visit) -> None:
    page = visit("/together/anilist/Regular/anilist/Nobody99")
    one = page.get_by_role("group", name="One fan").get_by_label("Username")
    other = page.get_by_role("group", name="The other").get_by_label("Username")
    expect(one).to_have_value("Regular")
    expect(one).not_to_have_attribute("aria-invalid", "true")
    expect(other).to_have_attribute("aria-invalid", "true")
    expect(other).to_have_accessible_description(re.compile("no user called Nobody99"))
    other.fill("NoScores")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**{PAIR}")


def test_waiting_for_both_is_told(visit: Visit) -> None:
    page = visit("/together")
    page.evaluate("addEventListener('submit', event => event.preventDefault())")
    page.get_by_role("group", name="One fan").get_by_label("Username").fill("Regular")
    page.get_by_role("group", name="The other").get_by_label("Username").fill("NoScores")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("status").filter(has_text="Reading both lists…")).to_be_visible()


def test_synopses_come_to_cards_for_two_as_well(visit: Visit) -> None:
    page = visit(f"{PAIR}?n=100")
    card = page.locator(".card:has(.synopsis:not(:empty))").first
    card.get_by_role("button", name="More about").click()
    expect(card.locator(".synopsis p").first).to_have_text("About it.")
    expect(page).to_have_url(re.compile(re.escape(PAIR)))
