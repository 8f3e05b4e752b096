from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from app.lists import anilist
from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import (
    BadUsername,
    EmptyList,
    ListError,
    ListTooLong,
    PrivateList,
    RateLimited,
    SourceDown,
    Trouble,
    UnknownUser,
)
from app.lists.http_client import HttpLimits, SourceClient, create_session
from app.recommender.watch_status import WatchStatus
from demo.fake_upstream import FakeUpstream
from demo.http_server import json_response
from demo.services import anilist as anilist_demo
from tests.lists import scenarios
from tests.lists.scenarios import entry

PUBLIC_URL = "https://hakken.example/"
QUICK = HttpLimits(backoff_factor=0)


def answer(upstream: FakeUpstream, entries: list[dict[str, Any]]) -> None:
    """Let AniList answer with exactly these entries."""
    collection = {"user": None, "lists": [anilist_demo.group_json("All", entries)]}
    body = {"data": {"MediaListCollection": collection}}
    upstream.queued_responses["anilist"] = [json_response(200, body)]


class Fetch(Protocol):
    def __call__(
        self, username: str, *, limits: HttpLimits = ..., **options: object
    ) -> AnimeList: ...


@pytest.fixture
def fetch(upstream: FakeUpstream) -> Iterator[Fetch]:
    session = create_session("1.2", PUBLIC_URL)

    def call(username: str, *, limits: HttpLimits = QUICK, **options: object) -> AnimeList:
        defaults = {
            "anilist_to_mal": {},
            "base_url": upstream.base_url("anilist"),
            "public_url": PUBLIC_URL,
        }
        client = SourceClient(anilist.NAME, session, limits)
        return anilist.AniListReader(client=client, **(defaults | options)).read(username)  # type: ignore[arg-type]

    with session:
        yield call


def test_asks_once_and_says_who_asks(fetch: Fetch, upstream: FakeUpstream) -> None:
    upstream.add_user("Someone", [entry(154587, 52991, score=9.5)])
    fetch("Someone")
    (asked,) = upstream.requests
    assert asked.method == "POST"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["referer"] == PUBLIC_URL
    assert asked.headers["user-agent"] == f"Hakken/1.2 (+{PUBLIC_URL})"
    assert asked.body["variables"] == {"name": "Someone"}
    assert "type: ANIME" in asked.body["query"]
    assert "score(format: POINT_10_DECIMAL)" in asked.body["query"]
    assert "forceSingleCompletedList: true" in asked.body["query"]


def test_without_a_public_url_the_referer_says_localhost(
    fetch: Fetch, upstream: FakeUpstream
) -> None:
    upstream.add_user("Someone", [entry(1, 1)])
    fetch("Someone", public_url=None)
    assert upstream.requests[0].headers["referer"] == "http://localhost/"


def test_reads_entries(fetch: Fetch, upstream: FakeUpstream) -> None:
    statuses = ["CURRENT", "PLANNING", "COMPLETED", "DROPPED", "PAUSED", "REPEATING", "NEW_ONE"]
    upstream.add_user(
        "Someone",
        [entry(n, 100 + n, score=n, status=status) for n, status in enumerate(statuses, start=1)],
    )
    fans = fetch("someone")
    assert (fans.source, fans.username, fans.unmapped) == ("anilist", "Someone", 0)
    assert fans.entries[0] == ListEntry(101, WatchStatus.WATCHING, 1.0, "Title 1")
    assert [item.status for item in fans.entries] == [
        WatchStatus.WATCHING,
        WatchStatus.PLAN_TO_WATCH,
        WatchStatus.COMPLETED,
        WatchStatus.DROPPED,
        WatchStatus.ON_HOLD,
        WatchStatus.COMPLETED,
        WatchStatus.UNKNOWN,
    ]


@pytest.mark.parametrize(
    ("given", "read"), [(0, None), (0.5, 1.0), (1, 1.0), (9.5, 9.5), (10, 10.0), (78, None)]
)
def test_reads_scores(
    fetch: Fetch, upstream: FakeUpstream, given: float, read: float | None
) -> None:
    upstream.add_user("Someone", [entry(1, 1, score=given)])
    assert fetch("Someone").entries[0].score == read


def test_null_score_status_media_and_title_are_tolerated(
    fetch: Fetch, upstream: FakeUpstream
) -> None:
    bare = {"status": None, "score": None, "media": {"id": 7, "idMal": 70, "title": None}}
    answer(upstream, [bare, {"status": "CURRENT", "score": 1, "media": None}])
    assert fetch("Someone").entries == (ListEntry(70, WatchStatus.UNKNOWN),)


def test_titles_fall_back(fetch: Fetch, upstream: FakeUpstream) -> None:
    item = anilist_demo.entry_json(entry(1, 1))
    item["media"]["title"] = {"userPreferred": None, "romaji": None, "english": "English"}
    answer(upstream, [item])
    assert fetch("Someone").entries[0].title == "English"


def test_missing_mal_ids_come_from_the_map_or_are_counted(
    fetch: Fetch, upstream: FakeUpstream
) -> None:
    upstream.add_user("Someone", [entry(1, 100), entry(2, None), entry(3, None)])
    fans = fetch("Someone", anilist_to_mal={1: 999, 2: 200})
    assert [item.anime_id for item in fans.entries] == [100, 200]
    assert fans.unmapped == 1


def test_two_halves_of_one_mal_title_become_one_scored_entry(
    fetch: Fetch, upstream: FakeUpstream
) -> None:
    upstream.add_user("Someone", [entry(1, 100), entry(2, 100, score=8), entry(3, 100, score=2)])
    fans = fetch("Someone")
    assert [(item.anime_id, item.score) for item in fans.entries] == [(100, 8.0)]
    assert fans.unmapped == 0


def test_custom_lists_give_hidden_entries_and_no_repeats(fetch: Fetch) -> None:
    fans = fetch(scenarios.CUSTOM_LISTS_USER)
    assert [(item.anime_id, item.status, item.score) for item in fans.entries] == [
        (100, WatchStatus.COMPLETED, 9.5),
        (101, WatchStatus.COMPLETED, None),
        (200, WatchStatus.DROPPED, 3.0),
        (300, WatchStatus.WATCHING, None),
    ]


def test_reads_all_chunks(fetch: Fetch, upstream: FakeUpstream) -> None:
    fans = fetch(scenarios.CHUNKED_USER)
    assert [item.anime_id for item in fans.entries] == list(range(1, 1_201))
    asked = [request.body["variables"].get("chunk") for request in upstream.requests]
    assert asked == [None, 1, 2, 3]
    assert {r.body["variables"].get("perChunk") for r in upstream.requests[1:]} == {500}


def test_an_endless_promise_of_chunks_ends(fetch: Fetch, upstream: FakeUpstream) -> None:
    assert len(fetch(scenarios.ENDLESS).entries) == 1
    assert len(upstream.requests) == 3


def test_chunks_stop_at_the_cap(fetch: Fetch) -> None:
    with pytest.raises(ListTooLong) as caught:
        fetch(scenarios.CHUNKED_USER, max_entries=700)
    assert caught.value.limit == 700


def test_too_long(fetch: Fetch) -> None:
    with pytest.raises(ListTooLong) as caught:
        fetch(scenarios.HUGE_USER)
    assert caught.value.limit == 20_000
    assert "20,000" in str(caught.value)


@pytest.mark.parametrize(
    ("username", "kind"),
    [
        ("Nobody", UnknownUser),
        (scenarios.PRIVATE, PrivateList),
        (scenarios.EMPTY_USER, EmptyList),
        (scenarios.RATE_LIMITED, RateLimited),
        (scenarios.DOWN, SourceDown),
        (scenarios.DISABLED, SourceDown),
        (scenarios.CHALLENGE, SourceDown),
        (scenarios.ERROR_200_USER, SourceDown),
        (scenarios.NOT_JSON, SourceDown),
        (scenarios.NO_LISTS, SourceDown),
        (scenarios.HTTP_MOVED, SourceDown),
        (scenarios.LOOPING, SourceDown),
    ],
)
def test_errors(fetch: Fetch, username: str, kind: type[ListError]) -> None:
    with pytest.raises(ListError) as caught:
        fetch(username)
    assert type(caught.value) is kind
    assert caught.value.source == "AniList"
    assert caught.value.username == username
    assert "AniList" in str(caught.value)
    assert str(caught.value).endswith(".")


def test_rate_limit_says_how_long(fetch: Fetch, upstream: FakeUpstream) -> None:
    with pytest.raises(RateLimited) as caught:
        fetch(scenarios.RATE_LIMITED)
    assert caught.value.retry_after == 41
    assert "41 seconds" in str(caught.value)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("username", "said"),
    [
        (scenarios.DOWN, "HTTP 500: Internal Server Error"),
        (scenarios.DISABLED, "temporarily disabled"),
        (scenarios.CHALLENGE, "HTTP 403, : Invalid JSON"),
        (scenarios.ERROR_200_USER, "HTTP 200: Boom"),
        (scenarios.NOT_JSON, "Invalid JSON"),
        (scenarios.NO_LISTS, "data.MediaListCollection.lists: Field required"),
        (scenarios.HTTP_MOVED, "HTTP 307"),
        (scenarios.LOOPING, "too many redirects"),
    ],
)
def test_detail_is_for_the_log_only(fetch: Fetch, username: str, said: str) -> None:
    with pytest.raises(SourceDown) as caught:
        fetch(username)
    assert said in caught.value.detail
    assert said not in str(caught.value)
    assert caught.value.trouble is not Trouble.TIMED_OUT


@pytest.mark.parametrize("missing", ["id", "idMal"])
def test_a_missing_field_is_named_without_the_fans_data(
    fetch: Fetch, upstream: FakeUpstream, missing: str
) -> None:
    item = anilist_demo.entry_json(entry(1, 1, title="Secret Taste"))
    del item["media"][missing]
    answer(upstream, [item])
    with pytest.raises(SourceDown) as caught:
        fetch("Someone")
    assert f"entries.0.media.{missing}: Field required" in caught.value.detail
    assert "Secret" not in caught.value.detail


@pytest.mark.parametrize("username", [scenarios.SLOW, scenarios.HANGING])
def test_slow_answers_time_out(fetch: Fetch, upstream: FakeUpstream, username: str) -> None:
    with pytest.raises(SourceDown) as caught:
        fetch(username, limits=HttpLimits(read_timeout=0.05))
    assert caught.value.trouble is Trouble.TIMED_OUT
    assert "too long" in str(caught.value)
    assert len(upstream.requests) == 1


def test_a_dripping_answer_ends_at_the_deadline(fetch: Fetch) -> None:
    with pytest.raises(SourceDown) as caught:
        fetch(scenarios.DRIPPING, deadline_s=0.1)
    assert caught.value.trouble is Trouble.TIMED_OUT
    assert "deadline" in caught.value.detail


def test_a_deadline_ends_the_fetch(fetch: Fetch, upstream: FakeUpstream) -> None:
    with pytest.raises(SourceDown) as caught:
        fetch(scenarios.CHUNKED_USER, deadline_s=0)
    assert caught.value.trouble is Trouble.TIMED_OUT
    assert not upstream.requests


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Someone", "Someone"),
        ("  Someone\n", "Someone"),
        ("@Someone", "Someone"),
        ("https://anilist.co/user/Someone/", "Someone"),
        ("https://anilist.co/user/Someone", "Someone"),
        ("anilist.co/user/Someone/animelist", "Someone"),
        ("http://www.AniList.co/user/Someone?tab=1", "Someone"),
    ],
)
def test_usernames_may_be_pasted(typed: str, read: str) -> None:
    assert anilist.USERNAME_RULE.clean_username(typed) == read


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "x",
        "x" * 21,
        "two words",
        "Ünicode",
        "１２３",
        "a_b",
        "https://myanimelist.net/profile/x",
    ],
)
def test_impossible_usernames_are_not_asked_for(
    fetch: Fetch, upstream: FakeUpstream, typed: str
) -> None:
    with pytest.raises(BadUsername) as caught:
        fetch(typed)
    assert "AniList" in str(caught.value)
    assert not upstream.requests
