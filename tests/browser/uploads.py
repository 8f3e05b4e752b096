"""How a visitor's file is sent."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def upload_list(page: Page, file: Path) -> None:
    """Send a list as a file, and wait for all of the answer: its title is there before its end."""
    page.get_by_label("Your list as a file").set_input_files(file)
    with page.expect_navigation():
        page.get_by_role("button", name="Read the file").click()
