"""Pictures and synopses: in batches, from the next service when one fails, remembered for days."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.details import DetailsCache, build_details_cache
from app.details.details_cache import DAY_SECONDS, FRESH_SECONDS
from app.lists import ServiceClients, SourceSettings
from app.lists.entry import AnimeDetails, StreamingLink
from app.lists.http_client import HttpLimits
from app.upstream import RateLimit, SharedStorage
from demo.fake_upstream import FakeUpstream
from demo.http_server import FakeResponse, json_response

Make = Callable[..., DetailsCache]


@pytest.fixture
def make(tmp_path: Path, upstream: FakeUpstream) -> Make:
    def shelf(details: str | None = None, **settings: Any) -> DetailsCache:
        defaults: dict[str, Any] = {
            "anilist_url": upstream.base_url("anilist"),
            "mal_url": upstream.base_url("mal"),
            "http_limits": HttpLimits(backoff_factor=0),
            "rate_limits": {},
        }
        made = SourceSettings(
            version="1", shared_storage=SharedStorage(tmp_path), **(defaults | settings)
        )
        return build_details_cache(ServiceClients(made), details)

    upstream.data.synopses.update({n: f"About<br><i>{n}</i> &amp; more" for n in range(1, 121)})
    return shelf


def asked(upstream: FakeUpstream) -> list[str]:
    return [request.path for request in upstream.requests]


def test_fifty_at_a_time(make: Make, upstream: FakeUpstream) -> None:
    ids = [*range(1, 121), 999]
    found = make().get_details(ids)
    assert found.complete
    assert [each.anime_id for each in found.details] == ids[:-1]
    assert found.details[4] == AnimeDetails(
        5,
        "https://s4.anilist.co/file/5.jpg",
        "About\n\n5 & more",
        "https://www.youtube.com/watch?v=demo5",
        (
            StreamingLink("Crunchyroll", "https://www.crunchyroll.com/series/5"),
            StreamingLink("Netflix", "https://www.netflix.com/title/5"),
        ),
    )
    batches = [request.body["variables"]["ids"] for request in upstream.requests]
    assert [len(batch) for batch in batches] == [50, 50, 21]
    assert all(request.headers["referer"] == "http://localhost/" for request in upstream.requests)


def test_what_is_known_is_not_asked_again(make: Make, upstream: FakeUpstream) -> None:
    make().get_details([1, 2, 999])
    again = make().get_details([1, 999])
    assert [each.anime_id for each in again.details] == [1]
    assert again.complete
    assert len(upstream.requests) == 1


def test_what_came_along_with_a_list_is_not_asked(make: Make, upstream: FakeUpstream) -> None:
    shelf = make()
    shelf.store([AnimeDetails(7, None, "Learnt")])
    assert shelf.get_details([7]).details == (AnimeDetails(7, None, "Learnt"),)
    assert not upstream.requests


def test_a_picture_is_kept_for_a_month_and_asked_for_by_nobody(
    make: Make, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = make()
    assert shelf.get_picture(1) is None
    shelf.get_details([1])
    shelf.store([AnimeDetails(1, None, "Newer, from a list without pictures")])
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() + 29 * DAY_SECONDS)
    assert shelf.get_picture(1) == "https://s4.anilist.co/file/1.jpg"
    monkeypatch.setattr("time.time", lambda: now() + 31 * DAY_SECONDS)
    assert shelf.get_picture(1) is None
    assert len(upstream.requests) == 1


DOWN = [
    FakeResponse(403, b"<html>Just a moment...</html>"),
    FakeResponse(200, b"<html></html>"),
    json_response(200, {"data": {"Page": None}}),
    json_response(429, {"errors": [{"message": "Too Many Requests.", "status": 429}]}),
]


@pytest.mark.parametrize("answer", DOWN, ids=lambda answer: str(answer.status))
@pytest.mark.parametrize(
    ("place", "picture"),
    [("mal", "https://cdn.myanimelist.net/images/anime/0/5.jpg"), ("jikan", None)],
)
def test_the_next_service_stands_in(
    make: Make, upstream: FakeUpstream, answer: FakeResponse, place: str, picture: str | None
) -> None:
    settings = {"mal_client_id": "key"} if place == "mal" else {}
    shelf = make(upstream.base_url("jikan") if place == "jikan" else None, **settings)
    upstream.queued_responses["anilist"] = [answer] * 3
    found = shelf.get_details([5, 999])
    (details,) = found.details
    assert details.synopsis == "About\n\n5 & more"
    assert picture is None or details.picture == picture
    base = "/mal/v2" if place == "mal" else "/jikan/v4"
    assert asked(upstream)[-2:] == [f"{base}/anime/5", f"{base}/anime/999"]
    assert not found.complete  # AniList was not heard about 999


def test_old_details_are_better_than_none(
    make: Make, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = make()
    first = shelf.get_details([1])
    now = time.time
    monkeypatch.setattr("app.details.details_cache.time.time", lambda: now() + FRESH_SECONDS + 60)
    upstream.queued_responses["anilist"] = [FakeResponse(500, b"")] * 3
    old = shelf.get_details([1])
    assert (old.details, old.complete) == (first.details, False)
    assert shelf.get_details([1]).complete


def test_nothing_at_all_is_an_answer(make: Make, upstream: FakeUpstream) -> None:
    upstream.queued_responses["anilist"] = [FakeResponse(500, b"")] * 3
    found = make().get_details([1])
    assert (found.details, found.complete) == ((), False)


def test_our_own_limit_leaves_details_out(make: Make, upstream: FakeUpstream) -> None:
    shelf = make(rate_limits={"anilist": (RateLimit(1, 60),)})
    found = shelf.get_details(list(range(1, 61)))
    assert len(found.details) == 50
    assert not found.complete
    assert len(upstream.requests) == 1


def test_pictures_from_elsewhere_are_not_shown(make: Make, upstream: FakeUpstream) -> None:
    media = [
        {"idMal": 1, "description": None, "coverImage": {"large": "https://evil.example/a.jpg"}},
        {"idMal": 2, "description": "  ", "coverImage": {"large": "javascript:alert(1)"}},
        {"idMal": 3, "description": "Only text", "coverImage": None},
        {"idMal": 77, "description": "Nobody asked", "coverImage": None},
    ]
    upstream.queued_responses["anilist"] = [
        json_response(200, {"data": {"Page": {"media": media}}})
    ]
    only_text = AnimeDetails(3, None, "Only text", streaming=())
    assert make().get_details([1, 2, 3]).details == (only_text,)


def test_links_survive_a_list_that_says_none(make: Make) -> None:
    shelf = make()
    (found,) = shelf.get_details([1]).details
    shelf.store([AnimeDetails(1, None, "From a list")])
    kept = shelf.get_known(1)
    assert kept is not None
    assert (kept.trailer, kept.streaming) == (found.trailer, found.streaming)
    assert kept.synopsis == "From a list"
    shelf.store([AnimeDetails(1, None, "Nowhere any more", streaming=())])
    kept = shelf.get_known(1)
    assert kept is not None
    assert (kept.trailer, kept.streaming) == (None, ())


@pytest.mark.parametrize(
    ("trailer", "url"),
    [
        ({"site": "youtube", "id": "a-B_9"}, "https://www.youtube.com/watch?v=a-B_9"),
        ({"site": "dailymotion", "id": "x1"}, "https://www.dailymotion.com/video/x1"),
        ({"site": "elsewhere", "id": "x1"}, None),
        ({"site": "youtube", "id": "x&list=1"}, None),
        ({"site": "youtube", "id": None}, None),
        (None, None),
    ],
)
def test_trailers_are_of_known_sites(
    make: Make, upstream: FakeUpstream, trailer: dict[str, Any] | None, url: str | None
) -> None:
    media = [{"idMal": 1, "description": "Text", "trailer": trailer, "externalLinks": None}]
    upstream.queued_responses["anilist"] = [
        json_response(200, {"data": {"Page": {"media": media}}})
    ]
    assert make().get_details([1]).details == (AnimeDetails(1, None, "Text", url, ()),)


@pytest.mark.parametrize(
    "url",
    [
        "http://plain.example/1",
        "javascript:alert(1)",
        "https://user:secret@host.example/1",
        "https://host.example:8443/1",
        "https://localhost/1",
        'https://host.example/"><script>',
        "https://host.example/a b",
        "//host.example/1",
        f"https://host.example/{'x' * 600}",
        "",
        None,
    ],
)
def test_no_page_links_to_what_is_no_plain_address(
    make: Make, upstream: FakeUpstream, url: str | None
) -> None:
    good = "https://www.netflix.com/title/80?trackId=1&x=%20#top"
    links = [
        {"site": "Bad", "url": url, "type": "STREAMING"},
        {"site": "Netflix", "url": good, "type": "STREAMING", "isDisabled": None},
        {"site": "Netflix", "url": f"{good}2", "type": "STREAMING"},
        {"site": None, "url": good, "type": "STREAMING"},
        None,
    ]
    media = [{"idMal": 1, "description": "Text", "externalLinks": links}]
    upstream.queued_responses["anilist"] = [
        json_response(200, {"data": {"Page": {"media": media}}})
    ]
    (found,) = make().get_details([1]).details
    assert found.streaming == (StreamingLink("Netflix", good),)
