"""Tapping posters, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]


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


def test_a_wall_by_keyboard(visit: Visit) -> None:
    page = visit("/pick")
    page.locator(".wall input").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/picks/\d+-7$"))
