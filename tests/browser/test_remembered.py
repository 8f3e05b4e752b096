"""Lists are remembered on the device only if asked, with what was hidden and filtered."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.fans import IDS

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
FAN = "/user/anilist/Regular"
KEYS = "Object.keys(localStorage).sort()"


def switch(page: Page, name: str = "Remember lists") -> None:
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("checkbox", name=name).press("Space")
    page.keyboard.press("Escape")


def test_nothing_is_kept_unasked(visit: Visit) -> None:
    page = visit("/")
    page.get_by_label("Site").select_option("kitsu")
    page.goto(f"{FAN}?hide=5&type=tv")
    page.goto("/")
    assert page.evaluate(KEYS) == []
    expect(page.locator("[data-recents]")).to_be_hidden()


def test_a_list_comes_back_as_it_was_left_until_it_is_forgotten(visit: Visit) -> None:
    page = visit(FAN)
    switch(page)
    page.get_by_role("button", name="More about").first.click()
    page.get_by_role("dialog").get_by_role("link", name="Not for me").click()
    page.wait_for_url(re.compile(r"hide=\d+$"))
    hidden = page.url.partition("?")[2]
    page.goto("/")
    recent = page.get_by_role("link", name="Regular, AniList")
    expect(recent).to_be_visible()
    page.get_by_label("Your username").fill("regular")
    page.get_by_label("Site").select_option("anilist")
    page.get_by_role("button", name="Find anime").click()
    page.wait_for_url(re.compile(r"/user/anilist/regular\?hide=\d+$"))
    page.goto("/")
    # Whoever stops that, and asks for another name, is shown that list as it is.
    page.route("**/recommend?*", lambda route: route.fulfill(status=204), times=1)
    page.get_by_label("Your username").fill("regular")
    page.get_by_label("Site").select_option("anilist")
    with page.expect_request(re.compile(r"username=regular.*hide=\d+")):
        page.get_by_role("button", name="Find anime").click()
    page.get_by_label("Your username").fill("NoScores")
    page.get_by_role("button", name="Find anime").click()
    page.wait_for_url("**/user/anilist/NoScores")
    page.goto("/")
    page.get_by_role("link", name="Regular, AniList").click()
    page.wait_for_url(re.compile(rf"/regular\?{hidden}$"))
    page.goto("/")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Forget them").click()
    page.keyboard.press("Escape")
    expect(recent).to_have_count(0)
    assert page.evaluate(KEYS) == ["hakken.remember"]
    page.goto(FAN)
    switch(page)
    assert page.evaluate(KEYS) == []
    page.goto("/")
    assert page.evaluate(KEYS) == []


def test_what_is_kept_is_lost_only_when_it_is_taken_off(visit: Visit) -> None:
    page = visit(f"{FAN}?hide={IDS[0]}&lang=en")
    switch(page)
    kept = f"{FAN}?hide={IDS[0]}"
    recent = page.get_by_role("link", name="Regular, AniList")
    for address in (FAN, f"{FAN}?title=english&n=40", "/"):
        page.goto(address)
    expect(recent).to_have_attribute("href", kept)
    page.goto(FAN)
    page.get_by_role("link", name="Show them as I left them").click()
    page.wait_for_url(f"**{kept}")
    page.get_by_role("link", name="Hidden: ").click()
    page.wait_for_url(f"**{FAN}")
    page.goto("/")
    expect(recent).to_have_attribute("href", FAN)
    page.goto(FAN)
    expect(page.locator(".toast")).to_be_empty()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Forget them").click()
    page.goto("/")
    assert page.evaluate(KEYS) == ["hakken.remember"]


def test_of_picks_the_latest_are_remembered(visit: Visit) -> None:
    page = visit("/")
    switch(page)
    for picks in ("5-9", "5-9.7-8"):
        page.goto(f"/picks/{picks}?without_tag=ninja")
    page.goto("/")
    link = page.get_by_role("link", name="Your picks")
    expect(link).to_have_count(1)
    href = link.get_attribute("href")
    assert href == "/picks/5-9.7-8?without_tag=ninja"
