"""Showing it to a friend: the picture first, then a link or a file, with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

FAN = "/user/anilist/Regular"
PAIR = "/together/anilist/Regular/anilist/NoScores"
CATCH = """() => {
  navigator.canShare = ({files}) => files.length > 0;
  navigator.share = async ({files: [file], url}) => {
    window.shared = [file.type, file.size, url];
  };
}"""

Visit = Callable[..., Page]


def open_share(page: Page) -> None:
    page.get_by_role("button", name="Share", exact=True).first.click()
    expect(page.get_by_role("dialog", name="Share")).to_be_visible()


@pytest.mark.parametrize("address", [FAN, PAIR])
def test_the_picture_is_seen_and_the_link_is_copied(visit: Visit, address: str) -> None:
    page = visit(address, permissions=["clipboard-read", "clipboard-write"])
    open_share(page)
    sheet = page.get_by_role("dialog", name="Share")
    picture = sheet.get_by_role("img")
    expect(picture).to_have_accessible_name(re.compile("Regular"))
    expect(picture).to_have_js_property("naturalWidth", 1200)
    sheet.get_by_role("button", name="Copy the link").click()
    expect(sheet.get_by_role("status")).to_have_text("The link is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_a_link_that_cannot_be_copied_is_shown(visit: Visit) -> None:
    page = visit(FAN)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    open_share(page)
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text(
        f"Copy this link: {page.url}"
    )


def test_the_picture_is_shared_as_a_file_with_the_page_as_it_is_now(visit: Visit) -> None:
    page = visit(FAN)
    page.evaluate(CATCH)
    page.get_by_role("link", name="Predicted score").click()
    page.wait_for_url("**order=score")
    with page.expect_response("**order=score&format=card"):
        open_share(page)
    sheet = page.get_by_role("dialog", name="Share")
    expect(sheet.get_by_role("img")).to_have_js_property("naturalWidth", 1200)
    expect(sheet).to_have_attribute("data-share", "ready")
    sheet.get_by_role("button", name="Share", exact=True).click()
    kind, size, url = page.evaluate("window.shared")
    assert (kind, url) == ("image/png", page.url)
    assert size > 10_000


def test_without_scripts_the_pictures_are_links(visit: Visit) -> None:
    page = visit(FAN, java_script_enabled=False)
    open_share(page)
    assert page.get_by_role("dialog").get_by_role("button").count() == 1  # which closes it
    for name, wide in (("The picture", 1200), ("As tall as a phone", 1080)):
        page.get_by_role("link", name=name).click()
        page.wait_for_url("**format=*")
        expect(page.locator("img")).to_have_js_property("naturalWidth", wide)
        assert page.locator("img").bounding_box()
        page.go_back()
        open_share(page)
