"""What the documentation of the sources promises is there."""

from __future__ import annotations

import re

from app.lists import errors
from app.lists.services import PACES
from app.settings import ROOT
from app.web.filters import SHARES
from app.web.options import Options
from app.web.problems import KINDS, SOURCE_SLOW
from scripts.settings_page import PAGE, page

TEXT = (ROOT / "docs" / "sources.md").read_text("utf-8")


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "run scripts/write_settings"


def test_every_kind_of_trouble_is_described() -> None:
    kinds = {
        kind
        for error, kind in KINDS.items()
        if issubclass(error, errors.ListError)
        and error not in (errors.EmptyList, errors.BadUsername, errors.BadExportFile)
    }
    for kind in (*kinds, SOURCE_SLOW):
        assert re.search(rf"\| {kind.status}[^|]*\| `{kind.slug}` \|", TEXT), kind


def test_limits_are_described() -> None:
    for paces in PACES.values():
        first = paces[0]
        assert f"{first.requests} in {first.seconds:g} s" in TEXT


def test_every_option_is_described_with_the_slider_s_shares() -> None:
    text = (ROOT / "docs" / "options.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*)\|", text, re.M))))
    assert named == set(Options.model_fields)
    shares = ", ".join(f"{100 * share:g}" for share in SHARES)
    assert text.count(f"best known {shares} %") == 2
