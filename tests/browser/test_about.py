"""How the page about the bundled model looks: its plots and tables fit, and no machine objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app import create_app
from app.settings import BUNDLED_MODEL_DIR, AppSettings
from tests.browser.test_accessibility import SCHEMES, SIZES, faults

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def about(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page, made by the application with the bundled model."""
    settings = AppSettings(model=str(BUNDLED_MODEL_DIR), cache_dir=tmp_path_factory.mktemp("cache"))
    return create_app(settings).test_client().get("/about").text


def opened(visit: Callable[..., Page], about: str, **options: Any) -> Page:
    """The page in a browser, with all tables open; styles and scripts come from the server."""
    page = visit(**options)
    html = {"body": about, "content_type": "text/html; charset=utf-8"}
    page.route("**/about", lambda route: route.fulfill(**html))
    page.goto("/about")
    page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    return page


@pytest.mark.parametrize("screen", SIZES)
def test_plots_have_no_fault_that_a_machine_finds(
    visit: Callable[..., Page], about: str, screen: dict[str, Any]
) -> None:
    page = opened(visit, about, **screen)
    assert page.get_by_role("img").count() == 6
    plots = page.locator(".chart").get_by_role("img")
    name = re.compile(
        r"^How good the first ten are, by the length of the list: 5 titles 0\.\d\d, popularity"
    )
    expect(plots.first).to_have_accessible_name(name)
    assert faults(page, SCHEMES) == []


def test_the_page_fits_a_narrow_screen(visit: Callable[..., Page], about: str) -> None:
    page = opened(visit, about, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    edge = page.get_by_role("heading", level=1).bounding_box()
    tables = page.get_by_role("table").all()
    assert edge
    assert len(tables) == 7
    for table in tables:
        box = table.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 320 - edge["x"], table.text_content()
