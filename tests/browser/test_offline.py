"""Without a connection there is a page that says so; nothing about a list is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

FAN = "/user/anilist/Regular"
KEPT = """async () => {
  const found = [];
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) found.push([name, request.url]);
  }
  return found;
}"""


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    context = browser.new_context(base_url=server, service_workers="allow")
    page = context.new_page()
    page.goto("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    assert page.evaluate("navigator.serviceWorker.controller !== null")
    yield page
    context.close()


def test_without_a_connection_a_page_says_so_in_its_own_look(page: Page) -> None:
    page.goto(FAN)
    expect(page.locator(".card").first).to_be_visible()
    page.context.set_offline(True)
    page.goto("/about")
    expect(page.get_by_role("heading", level=1)).to_have_text("No connection")
    size = page.evaluate("getComputedStyle(document.querySelector('h1')).fontWeight")
    assert size == "800", "the style is kept, too"
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.context.set_offline(False)
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("No connection")


def test_no_list_and_no_result_is_kept(page: Page, server: str) -> None:
    for address in (FAN, "/example", "/api/v1/recommendations?source=anilist&username=Regular"):
        page.goto(address)
    page.goto("/")
    kept = page.evaluate(KEPT)
    assert len({name for name, _ in kept}) == 1
    paths = [url.removeprefix(server) for _, url in kept]
    assert "/offline" in paths
    assert all(path.startswith("/static/") for path in paths if path != "/offline")


def test_a_new_release_leaves_nothing_of_the_old_one(page: Page) -> None:
    page.evaluate("caches.open('hakken-older').then(cache => cache.add('/offline'))")
    page.evaluate("navigator.serviceWorker.ready.then(worker => worker.unregister())")
    page.goto("about:blank")  # with no page left that it answers for, the old one is gone
    page.goto("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    assert len(page.evaluate("caches.keys()")) == 1
