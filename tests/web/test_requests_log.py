"""What a real server writes about requests, and what it keeps to itself."""

from __future__ import annotations

import json
import re
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from tests.redis_server import running_redis
from tests.web.fans import SCORED
from tests.web.server import at, running_hakken

NAME = "Someparticularfan"
CLIENT_ID = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct-horse-battery"
TOKEN = "a-token-of-some-length"
CODE = "a-code-that-is-good-for-one-token"


@pytest.mark.parametrize("given", ["abcdef-1.2_3", "x" * 64])
def test_a_well_formed_number_is_kept(client: FlaskClient, given: str) -> None:
    assert client.get("/about", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["short", "x" * 65, "two words", "a/b/c/d/e/f", "日本語日本語"])
def test_any_other_number_is_replaced(client: FlaskClient, given: str) -> None:
    environ = {"HTTP_X_REQUEST_ID": given.encode().decode("latin-1")}
    number = client.get("/about", environ_overrides=environ).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{12}", number)


def test_problems_name_the_request(client: FlaskClient) -> None:
    headers = {"X-Request-ID": "number-17"}
    response = client.get("/api/v1/anime/0", headers=headers)
    assert json.loads(response.data)["request_id"] == "number-17"
    assert response.headers["X-Request-ID"] == "number-17"


PATHS = (
    f"/user/myanimelist/{NAME}",
    f"/user/anilist/{NAME}?n=5",
    f"/user/anilist/{NAME}x",
    f"/stremio/anilist/{NAME}/manifest.json",
    f"/stremio/anilist/{NAME}x/catalog/series/hakken-match.json",
    "/user/myanimelist/CutFan",
    "/user/myanimelist/DownFan",
    "/user/kitsu/ForeignFan",
    f"/api/v1/recommendations?source=shikimori&username={NAME}",
    "/api/v1/details?ids=1,2,3",
    "/oauth/anilist",
    f"/oauth/anilist/callback?state=of-nobody&code={CODE}",
    "/metrics",
    "/readyz",
    "/nowhere",
)


def test_nothing_that_is_said_tells_secrets_or_fans(tiny_model: Path, tmp_path: Path) -> None:
    with FakeUpstream() as upstream, ExitStack() as stack:
        upstream.add_user(NAME, [DemoEntry(n, 7) for n in SCORED])
        redis = ExitStack()
        url = redis.enter_context(running_redis(tmp_path))
        environment = {
            **at(tiny_model, tmp_path / "cache"),
            **upstream.environment(),
            **upstream.sign_in_environment("http://hakken.example"),
            "MAL_CLIENT_ID": CLIENT_ID,
            "HAKKEN_CACHE_URL": url.replace("unix://", f"unix://:{PASSWORD}@"),
            "HAKKEN_METRICS": "1",
            "HAKKEN_METRICS_TOKEN": TOKEN,
            "HAKKEN_LOG_FORMAT": "json",
            "HAKKEN_LOG_LEVEL": "DEBUG",
        }
        server = stack.enter_context(running_hakken(environment))
        ask = partial(requests.get, timeout=120, allow_redirects=False)
        answers = [ask(f"{server.url}{path}") for path in PATHS]
        redis.close()  # from here on, every use of it fails
        answers += [ask(f"{server.url}{path}") for path in PATHS]
        with socket.create_connection(("127.0.0.1", server.port)) as broken:
            broken.sendall(f"GET /user/anilist/{NAME} and more HTTP/1.1\r\n\r\n".encode())
            assert broken.recv(12) == b"HTTP/1.1 400"
    lines = [json.loads(line) for line in server.log]
    assert {"gunicorn.error", "hakken.access"} <= {line["logger"] for line in lines}
    assert [line for line in lines if line["message"] == "Invalid request"]
    assert [line for line in lines if line["message"].startswith("the cache could not be")]
    requested = [line for line in lines if line["logger"] == "hakken.access"]
    assert len({line["request_id"] for line in requested}) == len(answers)
    assert {"method", "route", "status", "milliseconds"} <= set(requested[0])
    for secret in (CLIENT_ID, PASSWORD, TOKEN, CODE, environment["HAKKEN_COOKIE_SECRET"]):
        assert secret not in server.said
        assert not [each for each in answers if secret in f"{each.headers}{each.text}"]
    assert NAME.casefold() not in server.said.casefold()
    assert not re.search("cutfan|downfan|foreignfan", server.said, re.I)
    assert "ids=" not in server.said
