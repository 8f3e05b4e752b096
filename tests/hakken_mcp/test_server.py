"""Hakken's tools as an assistant's own client calls them, over standard input and output."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from flask import Flask
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent
from werkzeug.serving import make_server

from app.settings import PROJECT_ROOT
from demo.fake_upstream import FakeUpstream
from hakken_mcp.api import HakkenApi
from hakken_mcp.server import build_server
from tests.web.fans import IDS, SCORED

REGULAR = {"source": "anilist", "username": "Regular"}
T = TypeVar("T")
Ask = Callable[[str, dict[str, Any]], CallToolResult]


def run_async(work: Callable[[], Awaitable[T]]) -> T:
    """Run it in a thread of its own: the browser of other tests has an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, work).result()


def ask_server(
    environment: dict[str, str], *options: str, work: Callable[[Client], Awaitable[None]]
) -> None:
    """Start a server of its own, and let a client work with it."""

    async def go() -> None:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "hakken_mcp", *options],
            env=environment | {"NUMBA_DISABLE_JIT": "1"},
            cwd=PROJECT_ROOT,
        )
        async with Client(server) as client:
            await work(client)

    run_async(go)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def answer_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, text_of(result)
    assert result.structured_content
    return result.structured_content


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """A Hakken that runs already."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_tool_answers_from_a_model_of_its_own(
    tiny_model: Path, anilist: FakeUpstream, tmp_path: Path
) -> None:
    environment = {
        "HAKKEN_MODEL": str(tiny_model),
        "HAKKEN_CACHE_DIR": str(tmp_path),
        "HAKKEN_ANILIST_URL": anilist.base_url("anilist"),
        "HAKKEN_LIMITS": "0",
        "HAKKEN_PUBLIC_URL": "https://hakken.example",  # which this one does not answer for
    }

    async def work(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert [each.name for each in tools] == [
            *("recommend", "explain", "similar", "together", "search")
        ]
        assert all(each.description and each.annotations for each in tools)

        picks = answer_of(await client.call_tool("recommend", {**REGULAR, "top": 3}))
        assert [each["rank"] for each in picks["recommendations"]] == [1, 2, 3]
        assert all(each["because"] for each in picks["recommendations"])
        third = picks["recommendations"][2]

        asked = {**REGULAR, "anime_id": third["anime_id"]}
        why = answer_of(await client.call_tool("explain", asked))
        assert why["recommendation"] == third
        seen = answer_of(await client.call_tool("explain", {**REGULAR, "anime_id": SCORED[0]}))
        assert seen["seen"]
        assert seen["own_score"]

        like = answer_of(await client.call_tool("similar", {"anime_id": IDS[12], "top": 2}))
        assert like["anime_id"] == IDS[12]

        both = {**REGULAR, "with_source": "anilist", "with_username": "NoScores", "top": 2}
        shared = answer_of(await client.call_tool("together", both))
        assert len(shared["recommendations"]) == 2

        found = answer_of(await client.call_tool("search", {"title": "anime", "top": 4}))
        assert len(found["anime"]) == 4

        nobody = await client.call_tool("recommend", {"source": "anilist", "username": "Nobody"})
        assert nobody.is_error
        assert "Nobody" in text_of(nobody)
        site = await client.call_tool("recommend", {"source": "nowhere", "username": "Regular"})
        assert site.is_error
        assert "anilist" in text_of(site), "which there are"
        many = await client.call_tool("similar", {"anime_id": IDS[12], "top": 51})
        assert many.is_error
        assert "top" in text_of(many)

    ask_server(environment, work=work)


def test_a_running_hakken_is_asked(address: str) -> None:
    async def work(client: Client) -> None:
        picks = answer_of(await client.call_tool("recommend", {**REGULAR, "top": 2}))
        assert len(picks["recommendations"]) == 2
        wrong = await client.call_tool("recommend", {**REGULAR, "genres": ["no such genre"]})
        assert wrong.is_error
        assert "genre" in text_of(wrong)
        unknown = await client.call_tool("similar", {"anime_id": 999_999_999})
        assert unknown.is_error
        assert "no anime with MyAnimeList’s number 999999999" in text_of(unknown)

    ask_server({}, "--url", address, work=work)


def test_a_hakken_that_does_not_run_is_told() -> None:
    async def work(client: Client) -> None:
        lost = await client.call_tool("search", {"title": "anime"})
        assert lost.is_error
        assert "No Hakken answers at http://127.0.0.1:1" in text_of(lost)

    ask_server({}, "--url", "http://127.0.0.1:1", work=work)


@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        (["--url", "somewhere"], {}, "--url somewhere is no address such as"),
        ([], {"HAKKEN_LIST_DEADLINE": "soon"}, "hakken_mcp: HAKKEN_LIST_DEADLINE='soon': "),
    ],
)
def test_a_wrong_start_is_one_sentence(
    options: list[str], environment: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, "-m", "hakken_mcp", *options],
        cwd=PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]


def test_the_page_names_every_tool_with_what_it_takes() -> None:
    text = (PROJECT_ROOT / "docs" / "mcp.md").read_text("utf-8")
    told = {
        name: set(re.findall(r"`(\w+)`", takes))
        for name, takes in re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text, re.M)
    }

    async def list_tools() -> dict[str, set[str]]:
        async with Client(build_server(HakkenApi.at("http://127.0.0.1:1"))) as client:
            tools = (await client.list_tools()).tools
        return {each.name: set(each.input_schema["properties"]) for each in tools}

    assert run_async(list_tools) == told
