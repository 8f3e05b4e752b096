"""Every kind of page passes axe, on a phone and on a desk, by day and by night."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.browser.uploads import upload_list
from tests.web.fans import SCORED, regular_export

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]

PAGES = (
    "/",
    "/example",
    "/user/anilist/Regular",
    "/user/anilist/NoScores",
    "/user/anilist/Everything",
    "/user/anilist/Nobody99",
    "/favourites/kitsu/Regular?engine=als",
    "/favourites/kitsu/NoScores",
    "/user/myanimelist/NotSetUp",
    f"/anime/{SCORED[0]}",
    f"/anime/{SCORED[1]}?title=english",
    "/about",
    "/together",
    "/together/anilist/Regular/anilist/Everything",
    "/together/anilist/Regular/anilist/NoScores?title=english",
    "/together/anilist/Regular/anilist/Nobody99",
    "/together/example?type=tv&year_to=1901",
    "/pick",
    "/season",
    "/api",
    f"/pick?picks={SCORED[0]}-9&q=anime",
    f"/picks/{SCORED[0]}-9",
    "/no/such/page",
    "/problems/bug",
)
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
SIZES = [pytest.param(PHONE, id="phone"), pytest.param(DESK, id="desk")]
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SCREENS = [
    pytest.param({**size.values[0], "color_scheme": scheme}, id=f"{size.id}-{scheme}")
    for size in SIZES
    for scheme in SCHEMES
]


TOO_SHORT = "too short to determine if it is actual text"
CONTRAST = "color-contrast"
RUN_AXE = """async options => {
  const {violations, incomplete} = await axe.run(options);
  return {violations, incomplete};
}"""
LAY_OUT_ROWS = """() => {
  const sheet = document.styleSheets[0];
  for (const rule of [
    ".row { grid: auto-flow / repeat(auto-fill, 9rem) !important; overflow: visible !important }",
    ".controls { flex-wrap: wrap !important; overflow: visible !important }",
    ".card :is(h2, h3), .why { display: block !important; overflow: visible !important }",
    ".card:has(:popover-open) { position: relative; z-index: 99 !important }",
    ".card:has(:popover-open) .open { visibility: hidden !important }",
    ".guide pre { white-space: pre-wrap !important }",
  ]) sheet.insertRule(rule);
}"""


def run_axe(page: Page, **options: Any) -> list[str]:
    """What axe finds wrong, and what it cannot tell but for the contrast of some words.

    A lone character is an ornament: no text of ours has one character. Words within a picture have
    the colour of other words.
    """
    kinds = {"violations": "wrong", "incomplete": "unsure"}
    if page.evaluate("!window.axe"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(RUN_AXE, {"resultTypes": [*kinds], **options})
    return [
        f"{rule['id']} ({kind}): {node['html'][:200]}: {node['failureSummary']}"
        for rules, kind in kinds.items()
        for rule in found[rules]
        for node in rule["nodes"]
        if kind == "wrong"
        or not (TOO_SHORT in node["failureSummary"] or _is_in_picture(rule, node))
    ]


def _is_in_picture(rule: dict[str, Any], node: dict[str, Any]) -> bool:
    return rule["id"] == CONTRAST and node["html"].startswith("<text ")


def faults(page: Page, schemes: Sequence[Scheme] = ()) -> list[str]:
    """What axe finds in a page that is there, its contrasts in each of some schemes.

    A scheme sets colours and nothing else. Of what is scrolled out of a row or cut off axe cannot
    tell the contrast, nor of what is in the top layer, which it does not know: that is asked again
    with all of it laid out, and an open box above all else.
    """
    found: list[str] = []
    rules: dict[str, Any] = {}
    for scheme in schemes or (None,):
        if scheme:
            page.emulate_media(color_scheme=scheme)
        seen = run_axe(page, **rules)
        rules = {"runOnly": [CONTRAST]}
        unsure = [fault for fault in seen if fault.startswith(f"{CONTRAST} (unsure)")]
        if unsure:
            page.evaluate(LAY_OUT_ROWS)
            seen = [fault for fault in seen if fault not in unsure] + run_axe(page, **rules)
        found += [f"{fault} ({scheme})" for fault in seen]
    return found


@pytest.mark.parametrize("screen", SIZES)
def test_pages_have_no_fault_that_a_machine_finds(visit: Visit, screen: dict[str, Any]) -> None:
    page = visit(**screen)
    for address in PAGES:
        page.goto(address)
        assert faults(page, SCHEMES) == [], address


@pytest.mark.parametrize("screen", SCREENS[::3])
def test_the_filters_have_no_fault_that_a_machine_finds(
    visit: Visit, screen: dict[str, Any]
) -> None:
    page = visit("/example?type=tv&without=drama&popularity=2&hide=1&seen=5:8", **screen)
    page.evaluate("document.querySelectorAll('#again details').forEach(box => box.open = true)")
    page.get_by_role("button", name="Filters").click()
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More about").first.click()
    assert faults(page) == []
    page.goto("/example?type=tv&year_to=1901")
    assert faults(page) == []


@pytest.mark.parametrize("screen", SCREENS[::3])
def test_the_settings_have_no_fault_that_a_machine_finds(
    visit: Visit, screen: dict[str, Any]
) -> None:
    page = visit("/together", **screen)
    page.keyboard.press("?")
    assert faults(page) == []


@pytest.mark.parametrize("screen", SIZES)
def test_picks_for_a_file_have_no_fault_that_a_machine_finds(
    visit: Visit, tmp_path: Path, screen: dict[str, Any]
) -> None:
    file = tmp_path / "animelist.xml"
    page = visit(**screen)
    for content, title in ((b"no list", "^Error: "), (regular_export(), "^Picks for Exporter")):
        file.write_bytes(content)
        upload_list(page, file)
        expect(page).to_have_title(re.compile(title))
        assert faults(page, SCHEMES) == []


def test_the_machine_finds_faults(visit: Visit) -> None:
    page = visit()
    page.evaluate("document.querySelector('label[for=username]').remove()")
    page.evaluate("document.querySelector('h1').style.color = '#eee'")
    assert {fault.split()[0] for fault in faults(page)} >= {"color-contrast", "label"}
