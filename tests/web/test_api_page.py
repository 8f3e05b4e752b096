"""The page about the API: whole, without scripts, with examples that can be run."""

from __future__ import annotations

import gzip
import re
import shlex
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from app.settings import PROJECT_ROOT
from tests.web.fans import regular_export
from tests.web.test_pages import page

DOCS = PROJECT_ROOT / "docs" / "api.md"
FANS = {"NAME": "Regular", "OTHER": "NoScores"}


def test_it_has_every_operation_with_every_parameter(client: FlaskClient) -> None:
    told = client.get("/api/v1/openapi.json").json
    assert told is not None
    text = page(client, "/api").text
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in text
            assert operation["summary"] in text
            assert all(each["name"] in text for each in operation["parameters"])


def test_every_example_runs(client: FlaskClient) -> None:
    examples = [each.text for each in page(client, "/api").all("pre")]
    assert len(examples) > 10
    (block,) = re.findall(r"^```\n(.*?)^```$", DOCS.read_text("utf-8"), re.M | re.S)
    examples += block.replace("\\\n", " ").splitlines()
    for example in examples:
        for name, fan in FANS.items():
            example = example.replace(name, fan)
        curl, address, *options = shlex.split(example)
        assert curl == "curl"
        parts = urlsplit(address)
        given = dict(zip(options[::2], options[1::2], strict=True))
        body = given.get("-d") or ("--data-binary" in given and gzip.compress(regular_export()))
        headers = [given["-H"].split(": ")] if "-H" in given else []
        answer = client.open(
            f"{parts.path}?{parts.query}",
            method="POST" if body else "GET",
            headers=dict(headers),
            data=body or None,
        )
        # This model keeps no fans; tests/web/test_fans.py asks one that does.
        assert answer.status_code == (400 if parts.path == "/api/v1/fans" else 200), example


def test_every_page_leads_there(client: FlaskClient) -> None:
    assert page(client, "/about").one("footer").one("a", href="/api").text == "API"
