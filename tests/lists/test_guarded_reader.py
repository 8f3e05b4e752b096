"""Several ways to one site: who is asked when, and whose word counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.lists import ListSource, ServiceClients, SourceSettings, build_list_sources
from app.lists.entry import ListChannel
from app.lists.errors import (
    ListError,
    NotFoundOrPrivate,
    PrivateList,
    RateLimited,
    SourceDown,
    UnknownUser,
)
from app.lists.http_client import Deadline, HttpLimits
from app.upstream import SharedStorage
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault
from demo.http_server import FakeResponse, json_response
from tests.lists import scenarios

FORBIDDEN = json_response(403, {"error": "forbidden", "message": ""})
INVALID_KEY = json_response(401, {"error": "invalid_token", "message": ""})
BUSY = json_response(429, {"error": "too_many_requests"})
BROKEN = json_response(500, {})


@pytest.fixture
def services(upstream: FakeUpstream, tmp_path: Path) -> ServiceClients:
    upstream.add_user("Someone", [DemoEntry(1, 7)])
    settings: dict[str, Any] = {
        "mal_client_id": "key",
        "mal_url": upstream.base_url("mal"),
        "mal_web": True,
        "mal_web_url": upstream.base_url("mal-web"),
        "http_limits": HttpLimits(max_retries=0),
        "rate_limits": {},
    }
    shared = SharedStorage(tmp_path)
    return ServiceClients(SourceSettings(version="1", shared_storage=shared, **settings))


@pytest.fixture
def source(services: ServiceClients) -> ListSource:
    """MyAnimeList by its API, else by its list pages."""
    return build_list_sources(services, anilist_to_mal={})["myanimelist"]


@pytest.mark.parametrize("answer", [FORBIDDEN, INVALID_KEY, BUSY, BROKEN], ids=lambda a: a.status)
def test_what_says_nothing_about_the_user_is_asked_elsewhere(
    source: ListSource, upstream: FakeUpstream, answer: FakeResponse
) -> None:
    upstream.queued_responses["mal"] = [answer]
    found = source.fetch("Someone")
    assert found.channel is ListChannel.LIST_PAGES
    assert [entry.anime_id for entry in found.entries] == [1]
    # The API gives the next list again.
    upstream.add_user("Another", [DemoEntry(1, 7)])
    assert source.fetch("Another").channel is ListChannel.API


def test_what_is_remembered_says_where_it_was_read(
    source: ListSource, upstream: FakeUpstream
) -> None:
    upstream.queued_responses["mal"] = [BROKEN]
    assert source.fetch("Someone") == source.fetch("Someone")
    assert source.fetch("Someone").channel is ListChannel.LIST_PAGES


def test_a_current_list_is_better_than_an_old_one(
    services: ServiceClients, source: ListSource, upstream: FakeUpstream
) -> None:
    """A list that was read by the preferred way does not keep the other way from being asked."""
    assert source.lists is not None
    assert source.fetch("Someone").channel is ListChannel.API
    upstream.add_user("Someone", [DemoEntry(2, 7)])
    upstream.queued_responses["mal"] = [BROKEN]
    key = source.lists.source_key
    assert services.settings.mal_url in key
    assert services.settings.mal_web_url in key
    source.lists.store.delete_many([])
    object.__setattr__(source.lists.ttl, "fresh", 0.0)
    found = source.fetch("Someone")
    assert ([entry.anime_id for entry in found.entries], found.age) == ([2], 0)


@pytest.mark.parametrize(
    ("name", "kind", "asked"),
    [
        ("Nobody99", UnknownUser, ["mal"]),
        # The API says the same of a private list and of a program that it does not like.
        (scenarios.PRIVATE, PrivateList, ["mal", "mal-web"]),
        (scenarios.named(Fault.DOWN), SourceDown, ["mal", "mal-web"]),
        (scenarios.RATE_LIMITED, RateLimited, ["mal", "mal-web"]),
    ],
)
def test_the_word_that_says_most_counts(
    source: ListSource, upstream: FakeUpstream, name: str, kind: type[ListError], asked: list[str]
) -> None:
    with pytest.raises(ListError) as caught:
        source.fetch(name)
    assert type(caught.value) is kind
    assert [request.path.split("/")[1] for request in upstream.requests] == asked


def test_the_pages_say_that_there_is_nobody_where_the_api_is_down(
    source: ListSource, upstream: FakeUpstream
) -> None:
    upstream.queued_responses["mal"] = [BROKEN]
    with pytest.raises(NotFoundOrPrivate):
        source.fetch("Nobody99")


def test_list_pages_are_asked_one_request_at_a_time(
    services: ServiceClients, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """Also by another worker, which shares nothing but the folder."""
    url = upstream.base_url("mal-web")
    limits = HttpLimits(max_throttle_wait=0.05)
    first = services.client("MyAnimeList", "mal-pages", url, limits)
    settings = SourceSettings(version="1", shared_storage=SharedStorage(tmp_path), rate_limits={})
    second = ServiceClients(settings).client("MyAnimeList", "mal-pages", url, limits)

    def ask(client: Any) -> int:
        page = f"{url}/animelist/Someone/load.json"
        found = client.send("GET", page, username="Someone", deadline=Deadline(30))
        return int(found.status)

    with first._take_turn(1.0), pytest.raises(RateLimited):
        ask(second)
    assert not upstream.requests
    assert ask(second) == ask(first) == 200
