"""Hakken in Japanese, and laid out for a language that is written from right to left."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_accessibility import CONTRAST, PHONE, run_axe
from tests.web.fans import SCORED

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]

NO_CONTRAST = {CONTRAST: {"enabled": False}}
"""The colours are those of the English pages."""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_from_the_home_page_to_picks_in_japanese(visit: Visit) -> None:
    page = visit(locale="ja-JP", reduced_motion="reduce")
    expect(page).to_have_title("Hakken：次に見るアニメ")
    assert run_axe(page, rules=NO_CONTRAST) == []
    page.get_by_label("ユーザー名").fill("Regular")
    page.get_by_role("button", name="アニメを探す").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Regular\\s*へのおすすめ"))
    assert run_axe(page, rules=NO_CONTRAST) == []
    card = page.locator("ol .card").first
    expect(card.locator(".number")).to_have_text(re.compile(r"マッチ度\s+\d+ %"))
    expect(card.locator(".why")).to_have_text(re.compile(r"^\s*あなたが\d+点を付けた"))
    card.get_by_role("button", name=re.compile("^詳細")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("あなたの予想点数")
    title = dialog.locator(".sheet-title").text_content() or ""
    dialog.get_by_role("link", name="好みじゃない").click()
    expect(page.get_by_role("status").filter(has_text="非表示にしました")).to_contain_text(title)


def test_the_language_is_changed_at_the_foot_without_scripts(visit: Visit) -> None:
    page = visit("/example?order=discover", locale="ja-JP", java_script_enabled=False)
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page.get_by_role("link", name="English", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Picks for a made-up list")
    expect(page.get_by_role("link", name="Hidden gems")).to_have_attribute("aria-current", "true")
    page.goto("/about")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_nothing_sticks_out_where_one_reads_from_right_to_left(visit: Visit) -> None:
    picks = ",".join(f"{anime_id}-9" for anime_id in SCORED[:6])
    page = visit(**PHONE)
    for address in ("/", "/example", f"/anime/{SCORED[0]}", "/about", f"/pick?picks={picks}"):
        page.goto(address)
        page.evaluate("document.documentElement.dir = 'rtl'")
        assert page.evaluate(TOO_WIDE) <= 0, address
