"""A real server, a real Chromium, and a watch on what the pages ask for and complain about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from app.web.middleware.headers import POSTER_ORIGINS
from demo.fake_upstream import FakeUpstream
from tests.web.fans import IDS, add_fans
from tests.web.server import at, running_hakken

CHROMIUM = Path(os.environ.get("CHROMIUM_PATH") or "/usr/bin/chromium")
DISABLED_FEATURES = (
    # The suggestions of the address field are pages of 300 modules, loaded for every window.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    *("PreloadTopChromeWebUI", "SpareRendererForSitePerProcess"),
    # What Playwright disables: of two lists Chromium obeys the last.
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "PaintHolding"),
    *("HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "AvoidCorsURLLoaderRestartOnRedirect"),
    *("OptimizationHints", "NetworkTimeServiceQuerying", "MediaRouter", "LensOverlay"),
    *("AimEnabled", "PreconnectToSearch", "ThirdPartyStoragePartitioning"),
)
CHROMIUM_ARGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing gets out
    f"--disable-features={','.join(DISABLED_FEATURES)}",
    # One process for the pages of a context.
    *("--renderer-process-limit=1", "--disable-site-isolation-trials"),
    *("--disable-gpu", "--num-raster-threads=1"),
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        reason = f"there is no Chromium at {CHROMIUM}; set CHROMIUM_PATH"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=90_000)  # what will come, comes late on a busy machine
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sites() -> Iterator[FakeUpstream]:
    """A local AniList, on which the fans of `tests.web.fans` have lists."""
    with FakeUpstream() as fake:
        add_fans(fake)
        fake.data.synopses.update(dict.fromkeys(IDS[::2], "<b>About</b> it.<br>And more."))
        yield fake


@pytest.fixture(scope="session")
def server(
    sites: FakeUpstream, tiny_model_with_als: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of Hakken, run as in production, with a local AniList behind it."""
    environment = {
        **at(tiny_model_with_als, tmp_path_factory.mktemp("cache")),
        "WEB_CONCURRENCY": "1",
        "HAKKEN_ANILIST_URL": sites.base_url("anilist"),
        "HAKKEN_KITSU_URL": sites.base_url("kitsu"),
        "HAKKEN_MAL_WEB": "0",
        "HAKKEN_LIST_DEADLINE": "60",
        "HAKKEN_LIMITS": "0",
    }
    with running_hakken(environment) as running:
        yield running.url


@dataclass
class Watched:
    """A page, and what happened on it that should not."""

    page: Page
    strangers: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Callable[..., Page]]:
    """Opens pages (of a context with the given options) and, in the end, judges all of them."""
    opened: list[Watched] = []

    def open_page(address: str = "/", **options: Any) -> Page:
        # What a service worker asks for is no request of the page.
        options = {"base_url": server, "service_workers": "block", **options}
        context = browser.new_context(**options)
        context.set_default_timeout(90_000)
        watched = Watched(context.new_page())
        opened.append(watched)
        known = tuple(f"{origin}/" for origin in (options["base_url"], *POSTER_ORIGINS))
        context.on("request", lambda request: _note_stranger(request, known, watched))
        watched.page.on("console", lambda message: _note(message, watched))
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        watched.page.goto(address)
        return watched.page

    yield open_page
    for watched in opened:
        watched.page.context.close()
        assert watched.strangers == []
        assert watched.complaints == []


def _note_stranger(request: Request, known: tuple[str, ...], watched: Watched) -> None:
    if not request.url.startswith(known):
        watched.strangers.append(request.url)


def _note(message: ConsoleMessage, watched: Watched) -> None:
    # Chromium reports posters that cannot be had and the status of our own error pages as errors,
    # and Playwright the service worker that is blocked.
    expected = ("Failed to load resource", "Service Worker registration blocked by Playwright")
    if message.type in {"error", "warning"} and not message.text.startswith(expected):
        watched.complaints.append(message.text)
