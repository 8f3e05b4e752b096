"""What the documentation of the sources promises is there."""

from __future__ import annotations

import os
import re
import shlex
import tomllib

import pytest
from prometheus_client import Counter, Gauge, Histogram

from app.lists import errors
from app.lists.service_clients import RATE_LIMITS
from app.observability import metrics
from app.settings import PROJECT_ROOT, AppSettings, ServerSettings
from app.web.middleware.request_body import MAX_BODY_BYTES
from app.web.problems import PROBLEM_TYPES, SOURCE_REFUSED, SOURCE_TIMEOUT, SOURCE_UNREACHABLE
from app.web.requests.query import QueryOptions
from app.web.requests.upload import MAX_UPLOAD_BYTES
from app.web.services.filters import POPULAR_SHARES
from scripts.settings_page import SETTINGS_PAGE, render_page

PAGES = sorted([*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md")])
TEXT = (PROJECT_ROOT / "docs" / "sources.md").read_text("utf-8")


TESTED = {
    "curl": "tests/web/test_api_page.py",
    "dask": "tests/model_build/train/test_dask_statistics.py",
    "gunicorn": "tests/web/server.py",
    "hakken-mcp": "tests/hakken_mcp/test_server.py",
    "python -m demo": "tests/test_demo.py",
}
"""What runs these programs."""
NEEDED = {
    "docker": "docker",
    "gcloud": "gcloud",
    "heroku": "heroku",
    "git": "systemd|heroku",
    **dict.fromkeys(("adduser", "python3", "install", "cp", "systemctl", "journalctl"), "systemd"),
}
"""What a page must say that it needs where it runs these, which no test can."""


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert SETTINGS_PAGE.read_text("utf-8") == render_page(), "run scripts/write_settings"


def test_every_kind_of_trouble_is_described() -> None:
    kinds = {
        kind
        for error, kind in PROBLEM_TYPES.items()
        if issubclass(error, errors.ListError)
        and error not in (errors.EmptyList, errors.BadUsername, errors.BadListFile)
    }
    for kind in (*kinds, SOURCE_TIMEOUT, SOURCE_UNREACHABLE, SOURCE_REFUSED):
        assert re.search(rf"\| {kind.status}[^|]*\| `{kind.slug}` \|", TEXT), kind


def test_limits_are_described() -> None:
    for paces in RATE_LIMITS.values():
        first = paces[0]
        assert f"{first.requests} in {first.seconds:g} s" in TEXT


def test_every_option_is_described_with_the_slider_s_shares() -> None:
    text = (PROJECT_ROOT / "docs" / "options.md").read_text("utf-8")
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*)\|", text, re.M))))
    assert named == set(QueryOptions.model_fields)
    shares = ", ".join(f"{100 * share:g}" for share in POPULAR_SHARES)
    assert text.count(f"best known {shares} %") == 2


def test_every_metric_is_described_with_its_labels() -> None:
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text("utf-8")
    told = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(hakken_\w+)` \|([^|]*)\|", text, re.M)
    }
    here = {
        f"{each._name}_total" if isinstance(each, Counter) else each._name: set(each._labelnames)
        for each in vars(metrics).values()
        if isinstance(each, Counter | Gauge | Histogram)
    }
    # Handed out as yes or no (`app.web.views.health`).
    here["hakken_upstream_resting"] = here.pop("hakken_upstream_resting_until")
    assert told == here


def test_the_limits_of_a_client_are_described_with_their_defaults() -> None:
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text("utf-8")
    server, app = ServerSettings.model_fields, AppSettings.model_fields
    for name in ("rate_lists", "rate_pages"):
        amount, _, unit = app[name].default.partition("/")
        assert f"`HAKKEN_{name.upper()}`, {amount} a {unit} |" in text
    for name in ("body_deadline", "request_deadline"):
        assert f"`HAKKEN_{name.upper()}`, {server[name].default:g} s" in text
    assert f"{MAX_BODY_BYTES >> 20} MB, uploads {MAX_UPLOAD_BYTES >> 20} MB" in text


def test_every_word_of_the_glossary_is_in_its_module() -> None:
    text = (PROJECT_ROOT / "docs" / "glossary.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]*) \| ([^|]*) \| `([^`]*)` \|$", text, re.M)
    assert len(rows) == len(re.findall(r"^\|(?! word|---)", text, re.M)) > 50
    for word, _, module in rows:
        source = (PROJECT_ROOT / module).read_text("utf-8")
        for name in re.findall(r"`(\w+)`", word):
            assert re.search(rf"^(class|def) {name}\b", source, re.M), (name, module)


def test_every_module_that_is_named_is_there() -> None:
    known = {
        str(file.relative_to(PROJECT_ROOT))
        for folder in ("app", "benchmarks", "demo", "hakken_mcp", "model_build", "scripts", "tests")
        for file in (PROJECT_ROOT / folder).rglob("*.py")
    } | {"gunicorn.conf.py"}
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        for name in re.findall(r"`([\w/.]+\.py)`", page.read_text("utf-8")):
            assert any(f"/{each}".endswith(f"/{name}") for each in known), (page.name, name)


def other_lines() -> list[tuple[str, list[str]]]:
    """Every line of a block of code that runs another program, with the page that it is of."""
    programs = "|".join((*TESTED, *NEEDED, r"scripts/\S+", "pip"))
    command = rf"^ *(?:\w+=\S+ +)?((?:{programs})\b.*)$"
    found = []
    for page in PAGES:
        text = page.read_text("utf-8").replace("\\\n", " ")
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
            lines = re.findall(command, block, re.M) if language in ("", "sh") else ()
            name = str(page.relative_to(PROJECT_ROOT))
            found += [(name, shlex.split(line, comments=True)) for line in lines]
    return found


@pytest.mark.parametrize(("page", "line"), other_lines(), ids=str)
def test_other_programs_are_there_or_named_as_needed(page: str, line: list[str]) -> None:
    program, *words = line
    if program.startswith("scripts/"):  # tests/test_scripts.py and tests/benchmarks run them
        assert os.access(PROJECT_ROOT / program, os.X_OK)
    elif program == "pip":
        project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        extras = re.findall(r"\.\[(.*)\]", " ".join(words))
        assert set(extras) <= project["optional-dependencies"].keys()
        files = [word for word in words if word.endswith(".txt")]
        assert all((PROJECT_ROOT / file).is_file() for file in files)
    elif tests := next((TESTED[each] for each in TESTED if " ".join(line).startswith(each)), None):
        assert (PROJECT_ROOT / tests).is_file()
    else:
        needs = NEEDED[program]
        assert re.search(rf"^Needs .*\b{needs}\b", (PROJECT_ROOT / page).read_text("utf-8"), re.M)
