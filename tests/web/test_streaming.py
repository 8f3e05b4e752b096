"""A page that comes in two parts, seen over HTTP from a server as in production."""

from __future__ import annotations

import http.client
import logging
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask

from app import create_app
from app.lists import ListSource
from app.lists.entry import AnimeList, FetchProgress, ListProgressCallback
from app.lists.errors import PrivateList
from app.lists.usernames import UsernameRule
from app.settings import AppSettings
from app.web.presenters.text import list_progress_text
from app.web.services.user_lists import ListFetch, UserRef
from app.web.views import recommendations as pages
from demo.data import LONG_USER, DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from tests.lists import scenarios
from tests.web.fans import SCORED
from tests.web.html_page import Element, read_html
from tests.web.server import at, running_hakken

LIST = AnimeList("test", "Someone", ())


@contextmanager
def serving(
    upstream: FakeUpstream, model: Path, folder: Path, **environment: str
) -> Iterator[tuple[str, int]]:
    """Host and port of one worker that asks the local services."""
    own = {"HAKKEN_LIST_DEADLINE": "60", "WEB_CONCURRENCY": "1"}
    with running_hakken(
        {**upstream.environment(), **at(model, folder), **own, **environment}
    ) as it:
        yield "127.0.0.1", it.port


@contextmanager
def asked(server: tuple[str, int], path: str) -> Iterator[http.client.HTTPResponse]:
    """The answer, as far as it has come."""
    with closing(http.client.HTTPConnection(*server, timeout=120)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as response:
            yield response


def read_to(response: http.client.HTTPResponse, words: str) -> str:
    """All lines up to the one with these words."""
    text = ""
    while words not in text:
        line = response.readline().decode()
        assert line, f"it ended before “{words}”"
        text += line
    return text


def own_text(element: Element) -> list[str]:
    return [element.text for element in element.all("article")]


def test_the_frame_and_the_progress_come_before_the_list(
    upstream: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    upstream.add_user(LONG_USER, [DemoEntry(n, 8) for n in (*SCORED, *range(900_000, 901_200))])
    gate = upstream.hold_responses(LONG_USER, after=1)
    with (
        serving(upstream, tiny_model, tmp_path, HAKKEN_LIST_GRACE="0") as server,
        asked(server, f"/user/kitsu/{LONG_USER}?n=40") as response,
    ):
        text = read_to(response, "500 titles so far, page 2")
        assert gate.wait_reached()
        assert response.status == 200
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.headers["Cache-Control"] == "private, no-store"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert not {"Content-Length", "ETag"} & set(response.headers)
        assert "<h1>Picks for LongFan</h1>" in text
        assert 'href="/static/hakken.css' in text
        gate.open()
        streamed = read_html(text + response.read().decode())
        asking = streamed.one("div", class_="asking").text
        assert asking.endswith("1,000 titles so far, page 3. The list has arrived.")
        # What comes in the end is what a page that comes whole has.
    with serving(upstream, tiny_model, tmp_path, HAKKEN_LIST_GRACE="120") as server:
        address = f"http://{server[0]}:{server[1]}/user/kitsu/{LONG_USER}?n=40"
        whole = requests.get(address, headers={"Accept-Encoding": "identity"}, timeout=120)
        assert int(whole.headers["Content-Length"]) == len(whole.content)
        main = read_html(whole.text).one("main")
        assert "waiting" not in whole.text
        arrived = streamed.one("div", class_="arrived")
        assert arrived.text == main.text
        assert len(arrived.all("article")) == 40
        assert arrived.attributes["data-title"] == read_html(whole.text).one("title").text
        assert streamed.one("footer").text == read_html(whole.text).one("footer").text


def test_a_compressed_page_is_not_held_back_either(
    upstream: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    upstream.add_user("Regular", [DemoEntry(n, 8) for n in SCORED])
    gate = upstream.hold_responses("Regular")
    with (
        serving(upstream, tiny_model, tmp_path, HAKKEN_LIST_GRACE="0") as server,
        closing(http.client.HTTPConnection(*server, timeout=120)) as connection,
    ):
        connection.request("GET", "/user/anilist/Regular", headers={"Accept-Encoding": "gzip"})
        with connection.getresponse() as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert not {"Content-Length", "ETag"} & set(response.headers)
            reader = zlib.decompressobj(wbits=31)
            text = b""
            while "Asking AniList for the list…".encode() not in text:
                piece = response.read1()
                assert piece
                text += reader.decompress(piece)
            assert gate.wait_reached()
            gate.open()
            text += reader.decompress(response.read())
            assert reader.eof
    assert "From 12 scored" in text.decode()


def test_who_asks_for_the_same_list_meanwhile_is_told_so(
    upstream: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    upstream.add_user("Regular", [DemoEntry(n, 8) for n in SCORED])
    gate = upstream.hold_responses("Regular")
    with (
        serving(upstream, tiny_model, tmp_path, HAKKEN_LIST_GRACE="0") as server,
        asked(server, "/user/anilist/Regular") as first,
    ):
        read_to(first, "Asking AniList for the list…")
        assert gate.wait_reached()
        with asked(server, "/user/anilist/regular") as second:
            read_to(second, "Waiting for another visitor’s request to AniList…")
            gate.open()
            for response in (first, second):
                assert "From 12 scored" in response.read().decode()
    assert len(upstream.requests) == 1


def test_trouble_after_the_frame_is_told_in_the_page(
    upstream: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    upstream.data.add_user("Trouble", [], Fault.PRIVATE)
    gate = upstream.hold_responses("Trouble")
    with serving(upstream, tiny_model, tmp_path, HAKKEN_LIST_GRACE="0") as server:
        with asked(server, "/user/kitsu/Trouble?n=40") as response:
            text = read_to(response, "Asking Kitsu")
            assert gate.wait_reached()
            gate.open()
            page = read_html(text + response.read().decode())
            assert response.status == 200
        base = f"http://{server[0]}:{server[1]}"
        for path in (
            "/user/kitsu/Trouble?format=csv",
            "/api/v1/recommendations?source=kitsu&username=Trouble",
        ):
            assert requests.get(base + path, timeout=120).status_code == 403
        assert requests.head(f"{base}/user/kitsu/Trouble", timeout=120).status_code == 403
    trouble = page.one("div", class_="arrived").one("section", class_="trouble")
    assert trouble.attributes["data-status"] == "403"
    assert trouble.attributes["data-problem"] == "private-list"
    assert trouble.one("h1").text == "This list is private"
    assert page.one("input", id="username").attributes["value"] == "Trouble"
    assert page.one("input", id="export")
    assert page.one("div", class_="asking").text.endswith("The list could not be read.")
    assert page.one("div", class_="arrived").attributes["data-title"].startswith("Error: ")


def test_a_visitor_who_leaves_holds_nothing_up(
    upstream: FakeUpstream, tiny_model: Path, tmp_path: Path
) -> None:
    upstream.add_user("Regular", [DemoEntry(n, 8) for n in SCORED])
    gate = upstream.hold_responses("Regular")
    changes = {"HAKKEN_LIST_GRACE": "0", "HAKKEN_THREADS": "1"}
    with serving(upstream, tiny_model, tmp_path, **changes) as server:
        with asked(server, "/user/anilist/Regular") as response:
            read_to(response, "Asking AniList")
            assert gate.wait_reached()
        gate.open()
        # The only thread is free again, and what was read for nobody is there for the next.
        base = f"http://{server[0]}:{server[1]}"
        assert requests.get(f"{base}/healthz", timeout=120).ok
        api = f"{base}/api/v1/recommendations?source=anilist&username=Regular"
        assert requests.get(api, timeout=120).json()["personal"]
    assert len(upstream.requests) == 1


@pytest.fixture
def hasty(settings: AppSettings, upstream: FakeUpstream, tmp_path: Path) -> Flask:
    """An application that begins every page at once."""
    changes = {"anilist_url": upstream.base_url("anilist"), "cache_dir": tmp_path}
    return create_app(settings.model_copy(update={**changes, "list_grace": 0.0}))


def page_in_two_parts(app: Flask, upstream: FakeUpstream, name: str) -> str:
    """The page of a fan whose list is held back until the frame has come."""
    gate = upstream.hold_responses(name)
    response = app.test_client().get(f"/user/anilist/{name}")  # reads as far as the frame
    assert response.status_code == 200
    assert response.is_streamed
    gate.open()
    return response.text


def test_a_bug_after_the_frame_is_told_and_logged_without_a_name(
    hasty: Flask,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("FewScores broke it")

    monkeypatch.setattr(pages, "recommend_and_record", broken)
    upstream.add_user("FewScores", [DemoEntry(n, 8) for n in SCORED[:3]])
    text = page_in_two_parts(hasty, upstream, "FewScores")
    trouble = read_html(text).one("section", class_="trouble")
    assert trouble.attributes["data-status"] == "500"
    assert "report it with the number" in trouble.text
    assert "(username) broke it" in caplog.text
    assert "fewscores" not in caplog.text.casefold()


def test_trouble_after_the_frame_is_logged_without_a_name(
    hasty: Flask, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    text = page_in_two_parts(hasty, upstream, scenarios.ERROR_200_USER)
    assert "The list could not be read." in text
    assert 'data-problem="source-down"' in text
    assert "source-down: AniList: HTTP 200: Boom" in caplog.text
    assert scenarios.ERROR_200_USER.casefold() not in caplog.text.casefold()


def test_words_say_where_it_stands() -> None:
    assert list_progress_text(FetchProgress(), "Kitsu") == "Asking Kitsu for the list…"
    assert (
        list_progress_text(FetchProgress(2, 1), "Kitsu") == "Asking Kitsu… 1 title so far, page 2."
    )
    assert (
        list_progress_text(FetchProgress(3, 1000), "Kitsu")
        == "Asking Kitsu… 1,000 titles so far, page 3."
    )
    assert "another visitor" in list_progress_text(FetchProgress(queued=True), "Kitsu")


class Lists:
    """In place of a source's lists: reads one with what the test gives."""

    def __init__(self, read: Callable[[ListProgressCallback], AnimeList]) -> None:
        self.read = read

    def get_or_read(self, _typed: str, on_progress: ListProgressCallback) -> AnimeList:
        return self.read(on_progress)


def fetching_with(read: Callable[[ListProgressCallback], AnimeList]) -> ListFetch:
    rule = UsernameRule("Kitsu", re.compile(".+"), "", (), "")
    return ListFetch(UserRef(ListSource("kitsu", "Kitsu", Lists(read), "", "", rule), "Someone"))


def test_a_list_that_is_there_soon_is_waited_for() -> None:
    fetching = fetching_with(lambda report: LIST)
    assert fetching.wait(30)
    assert fetching.result() is LIST


def test_an_error_that_is_there_soon_is_raised_as_it_was() -> None:
    error = PrivateList(source="Kitsu", username="Someone")

    def fail(report: ListProgressCallback) -> AnimeList:
        raise error

    fetching = fetching_with(fail)
    assert fetching.wait(30)
    with pytest.raises(PrivateList) as caught:
        fetching.result()
    assert caught.value is error


def test_news_are_told_once_and_silence_every_beat() -> None:
    reported, gate = threading.Event(), threading.Event()

    def read(report: ListProgressCallback) -> AnimeList:
        report(FetchProgress())
        report(FetchProgress(2, 500))
        reported.set()
        gate.wait()
        report(FetchProgress(2, 500))
        report(FetchProgress(3, 1000))
        return LIST

    fetching = fetching_with(read)
    assert reported.wait(30)
    assert not fetching.wait(0)
    news = fetching.progress_updates(0.001)
    assert [next(news) for _ in range(3)] == [FetchProgress(2, 500), None, None]
    gate.set()
    assert [told for told in news if told] == [FetchProgress(3, 1000)]
    assert fetching.result() is LIST


def test_nothing_is_waited_for_beyond_its_time() -> None:
    gate = threading.Event()

    def read(report: ListProgressCallback) -> AnimeList:
        report(FetchProgress())
        gate.wait()
        return LIST

    fetching = fetching_with(read)
    assert not fetching.wait(0.001)
    gate.set()
    assert list(fetching.progress_updates(30)) == [FetchProgress()]
