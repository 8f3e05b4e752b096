"""The language of titles is chosen once and kept; titles of any script and length fit."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.tiny_model import ARABIC, ARABIC_TITLE, ENDLESS, ENDLESS_TITLE
from tests.web.fans import IDS, SCORED

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]

COUNT_SHIFTS = """window.shifts = 0;
new PerformanceObserver(list => list.getEntries().forEach(each => { window.shifts += each.value; }))
  .observe({type: "layout-shift", buffered: true});"""
SIZES = "all => all.map(each => [each.getAttribute('width'), each.getAttribute('height')])"


def ask_for(page: Page, username: str) -> None:
    page.get_by_label("Your username").fill(username)
    page.get_by_role("button", name="Find anime").click()


def test_the_language_chosen_is_asked_for_the_next_time(visit: Visit) -> None:
    page = visit("/user/anilist/Regular")
    page.get_by_role("link", name="English titles").click()
    page.wait_for_url("**/user/anilist/Regular?title=english")
    expect(page.locator(".card h2").filter(has_text="English").first).to_be_visible()
    page.goto("/")
    ask_for(page, "Regular")
    page.wait_for_url("**/user/anilist/Regular?title=english")
    page.goto("/")
    page.get_by_role("link", name="See an example").click()
    page.wait_for_url("**/example?title=english")
    # An address that was passed on says what it says.
    page.goto("/user/anilist/Regular")
    expect(page.get_by_role("link", name="English titles")).to_be_visible()
    page.goto("/user/anilist/Regular?title=english")
    page.get_by_role("link", name="Romaji titles").click()
    page.wait_for_url("**/user/anilist/Regular")
    page.goto("/")
    ask_for(page, "Regular")
    page.wait_for_url("**/user/anilist/Regular")


def test_without_scripts_the_address_carries_it(visit: Visit) -> None:
    page = visit("/user/anilist/Regular", java_script_enabled=False)
    page.get_by_role("link", name="English titles").click()
    page.get_by_role("link", name="Another list").click()
    ask_for(page, "NoScores")
    page.wait_for_url("**/user/anilist/NoScores?title=english")
    page.locator(".card h2 a").first.click()
    page.wait_for_url(re.compile(r"/anime/\d+\?title=english$"))
    page.get_by_role("link", name="Romaji titles").click()
    page.wait_for_url(re.compile(r"/anime/\d+$"))


def test_picks_keep_it_while_searching(visit: Visit) -> None:
    page = visit("/pick")
    page.get_by_role("link", name="English titles").click()
    page.get_by_label("Anime you have seen").press_sequentially(f"anime no {SCORED[1]}")
    found = page.get_by_role("list", name="Search results")
    expect(found.get_by_role("group", name=f"English {SCORED[1]}", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("title=english"))


def test_who_reads_japanese_finds_native_titles_until_others_are_chosen(visit: Visit) -> None:
    page = visit("/pick?lang=ja")
    titles = re.compile(rf"{SCORED[1]}番のアニメ|Anime no. {SCORED[1]}")
    page.get_by_label("見たことのあるアニメ").fill(f"anime no {SCORED[1]}")
    found = page.locator("[data-found]").get_by_text(titles).first
    expect(found).to_have_text(f"{SCORED[1]}番のアニメ")
    expect(found).to_have_attribute("lang", "ja")
    page.get_by_role("link", name="ローマ字タイトル").click()
    page.wait_for_url("**/pick?title=romaji")
    page.goto("/pick")
    page.get_by_label("見たことのあるアニメ").fill(f"anime no {SCORED[1]}")
    expect(page.locator("[data-found]").get_by_text(titles).first).to_have_text(
        f"Anime no. {SCORED[1]}"
    )


@pytest.mark.parametrize("width", [320, 2560])
def test_titles_of_any_script_and_length_fit(visit: Visit, width: int) -> None:
    page = visit(
        "/user/anilist/NoScores?n=100&title=english",
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    )
    arabic = page.locator(".card h2").filter(has_text=ARABIC_TITLE)
    assert arabic.evaluate("title => getComputedStyle(title).direction") == "rtl"
    latin = page.locator(".card h2").filter(has_text="English").first
    assert latin.evaluate("title => getComputedStyle(title).direction") == "ltr"
    endless = page.locator(".card", has=page.get_by_role("heading", name=ENDLESS_TITLE))
    assert endless.evaluate("card => card.scrollWidth <= card.clientWidth")
    pages = (
        page.url,
        f"/anime/{IDS[ENDLESS]}?title=english",
        f"/anime/{IDS[ARABIC]}?title=english",
        "/together/anilist/NoScores/anilist/Regular?n=100&title=english",
        f"/pick?q=anime&picks={IDS[ENDLESS]}-9&title=english",
        f"/user/anilist/NoScores?hide={IDS[ENDLESS]}&title=english",
    )
    for address in pages:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") == width, address
        moving = page.evaluate("document.getAnimations().length")
        assert moving == 0, address


def test_posters_that_fail_move_nothing(visit: Visit) -> None:
    page = visit()
    page.add_init_script(COUNT_SHIFTS)
    page.goto("/user/anilist/Regular?n=40")
    expect(page.locator(".card .synopsis:not(:empty)").first).to_be_attached()
    page.mouse.wheel(0, 4000)
    expect(page.locator(".card").last).to_be_in_viewport(ratio=0)
    assert page.locator(".poster img").count() >= 15
    sizes = page.eval_on_selector_all(".poster img", SIZES)
    assert all(size == ["225", "318"] for size in sizes)
    assert page.evaluate("window.shifts") < 0.1


def test_a_long_word_makes_no_poster_of_a_shelf_larger(visit: Visit) -> None:
    page = visit("/user/anilist/Regular", viewport={"width": 390, "height": 844})
    tiles = page.locator(".shelf").first.locator("li")
    title = tiles.first.locator("h3 a")
    title.evaluate("(element) => { element.textContent = 'Walpurgisnacht'.repeat(3); }")
    first, second = (tiles.nth(at).locator(".poster").bounding_box() for at in (0, 1))
    assert first is not None
    assert second is not None
    assert (first["width"], first["height"]) == (second["width"], second["height"])
