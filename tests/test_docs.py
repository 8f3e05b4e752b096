"""What the documentation of the sources promises is there."""

from __future__ import annotations

import re

import pytest

from app.lists import errors
from app.lists.registry import PACES
from app.settings import ROOT, Settings
from app.web.filters import SHARES
from app.web.options import Options
from app.web.problems import KINDS, SOURCE_SLOW

TEXT = (ROOT / "docs" / "sources.md").read_text("utf-8")
# These are told of elsewhere: they are not about lists.
ELSEWHERE = {"model", "model_cache", "log_level"}


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - ELSEWHERE))
def test_every_setting_is_described_with_its_default(name: str) -> None:
    variable = "MAL_CLIENT_ID" if name == "mal_client_id" else f"HAKKEN_{name.upper()}"
    (row,) = re.findall(rf"^\| `{variable}` \|(.*)\|$", TEXT, re.M)
    default = Settings.model_fields[name].default
    if default is not None:
        number = int(default) if isinstance(default, bool | float) else default
        assert f"`{str(number).rstrip('/')}`" in row


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
