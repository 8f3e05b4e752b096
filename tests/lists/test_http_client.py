from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from app.lists.errors import RateLimited, SourceDown, Trouble
from app.lists.http_client import (
    Deadline,
    HttpLimits,
    HttpResponse,
    SourceClient,
    create_session,
    user_agent,
)
from app.upstream import RateLimitReached
from demo.fake_upstream import FakeUpstream
from demo.http_server import FakeResponse
from tests.lists import scenarios
from tests.lists.scenarios import entry


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with create_session("1.2", None) as made:
        yield made


def ask(session: requests.Session, url: str, name: str, **limits: Any) -> HttpResponse:
    client = SourceClient("AniList", session, HttpLimits(**({"backoff_factor": 0} | limits)))
    return client.send(
        "POST",
        url,
        username=name,
        deadline=Deadline(20),
        json={"query": "", "variables": {"name": name}},
        headers={"Referer": "http://localhost/"},
    )


def test_user_agent_says_who_asks() -> None:
    assert user_agent("1.2", None) == "Hakken/1.2"
    assert user_agent("1.2", "https://a.example") == "Hakken/1.2 (+https://a.example)"


def test_a_dropped_connection_is_tried_again(
    session: requests.Session, upstream: FakeUpstream
) -> None:
    assert ask(session, upstream.base_url("anilist"), scenarios.FLAKY).status == 200
    assert len(upstream.requests) == 2


def test_a_server_error_is_tried_again(session: requests.Session, upstream: FakeUpstream) -> None:
    assert ask(session, upstream.base_url("anilist"), scenarios.RECOVERING).status == 200
    assert len(upstream.requests) == 2


def test_retries_end(session: requests.Session, upstream: FakeUpstream) -> None:
    assert ask(session, upstream.base_url("anilist"), scenarios.DOWN).status == 500
    assert len(upstream.requests) == 3


def test_a_wait_past_the_deadline_is_not_begun(
    session: requests.Session, upstream: FakeUpstream
) -> None:
    # The first retry comes at once, as urllib3 has it; the second would come too late.
    assert (
        ask(session, upstream.base_url("anilist"), scenarios.DOWN, backoff_factor=1000).status
        == 500
    )
    assert len(upstream.requests) == 2


def test_a_change_whose_answer_breaks_off_is_a_failure_of_the_site_and_not_repeated(
    session: requests.Session, upstream: FakeUpstream
) -> None:
    upstream.queued_responses["mal"] = [FakeResponse(200, b'{"status"', stall="cut")]
    client = SourceClient("MyAnimeList", session, HttpLimits(backoff_factor=0))
    url = upstream.base_url("mal") + "/anime/1/my_list_status"
    with pytest.raises(SourceDown):
        client.send("PATCH", url, username="Someone", deadline=Deadline(20), data={"status": "x"})
    assert len(upstream.requests) == 1


def test_refusals_are_not_tried_again(session: requests.Session, upstream: FakeUpstream) -> None:
    assert ask(session, upstream.base_url("anilist"), scenarios.DISABLED).status == 403
    assert len(upstream.requests) == 1


def test_nobody_listening(session: requests.Session) -> None:
    with FakeUpstream() as gone:
        url = gone.base_url("anilist")
    with pytest.raises(SourceDown) as caught:
        ask(session, url, "Someone")
    assert "ConnectionError" in caught.value.detail
    assert caught.value.trouble is Trouble.UNREACHABLE


def test_an_address_that_is_none(session: requests.Session) -> None:
    with pytest.raises(SourceDown):
        ask(session, "not an address", "Someone")


def test_an_answer_that_is_too_large(session: requests.Session, upstream: FakeUpstream) -> None:
    upstream.add_user("Someone", [entry(n, n) for n in range(1000)])
    with pytest.raises(SourceDown) as caught:
        ask(session, upstream.base_url("anilist"), "Someone", max_body_bytes=10_000)
    assert "larger than 10000 bytes" in caught.value.detail


def test_redirects_to_other_hosts_are_not_followed(
    session: requests.Session, upstream: FakeUpstream
) -> None:
    assert ask(session, upstream.base_url("anilist"), scenarios.HTTP_MOVED).status == 307
    assert len(upstream.requests) == 1


def test_redirects_on_the_same_host_keep_method_and_body(
    session: requests.Session, upstream: FakeUpstream
) -> None:
    with pytest.raises(SourceDown):
        ask(session, upstream.base_url("anilist"), scenarios.LOOPING)
    assert [asked.path for asked in upstream.requests] == ["/anilist", *["/again"] * 3]
    assert {asked.method for asked in upstream.requests} == {"POST"}
    assert len({str(asked.body) for asked in upstream.requests}) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("0", 0),
        ("41", 41),
        ("-5", None),
        ("9" * 40, 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 3600),
    ],
)
def test_retry_after(value: str | None, seconds: int | None) -> None:
    headers = {} if value is None else {"Retry-After": value}
    assert HttpResponse(429, headers, b"").retry_after() == seconds


def test_what_was_heard_counts_more_than_our_own_limit(
    session: requests.Session, upstream: FakeUpstream
) -> None:
    class OneTurn:
        turns = 1

        def acquire(self, max_wait: float) -> None:
            if not self.turns:
                raise RateLimitReached(60)
            self.turns -= 1

    client = SourceClient("AniList", session, HttpLimits(backoff_factor=0), OneTurn())
    request = {"query": "", "variables": {"name": scenarios.DOWN}}

    def send() -> HttpResponse:
        return client.send(
            "POST",
            upstream.base_url("anilist"),
            username="x",
            deadline=Deadline(20),
            json=request,
            headers={"Referer": "http://localhost/"},
        )

    assert send().status == 500
    with pytest.raises(RateLimited) as caught:
        send()
    assert caught.value.retry_after == 60
    assert len(upstream.requests) == 1
