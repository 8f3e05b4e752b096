"""Signing in with a real browser that runs no script, at the demo's sites."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from tests.tiny_model import ANILIST_OFFSET
from tests.web.fans import IDS, SCORED
from tests.web.signing_in import FAN, serving, settings_for


@pytest.mark.parametrize("site", ["MyAnimeList", "AniList"])
def test_a_private_list_and_a_plan_without_scripts(
    browser: Browser, tiny_model: Path, tmp_path: Path, site: str
) -> None:
    with FakeUpstream() as upstream:
        upstream.data.synopses.update(dict.fromkeys(IDS, "About it."))
        upstream.data.mal_ids = {n + ANILIST_OFFSET: n for n in IDS}
        entries = [DemoEntry(n, 10 - n % 5, media_id=n) for n in SCORED]
        upstream.data.add_user(FAN, entries, Fault.PRIVATE)
        with serving(settings_for(upstream, tiny_model, tmp_path)) as url:
            context = browser.new_context(base_url=url, java_script_enabled=False)
            page = context.new_page()
            page.goto("/")
            page.get_by_role("link", name=f"Sign in at {site} to read your private list").click()
            page.get_by_label("Who are you?").fill(FAN)
            page.get_by_role("button", name="Allow").click()
            expect(page.get_by_role("heading", level=1)).to_contain_text(FAN)
            assert page.url.endswith(f"/user/{site.lower()}/{FAN}")
            card = page.locator(".card[data-anime]").first
            title = card.get_by_role("heading", level=2).inner_text()
            card.get_by_role("button", name="More about").click()
            card.get_by_role("button", name=f"Plan to watch {title}").click()
            expect(page.locator(".notice")).to_have_text(
                f"{title} is on your plan to watch on {site}."
            )
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("link", name=f"Sign in at {site}")).to_be_visible()
            assert not context.cookies()
            context.close()
