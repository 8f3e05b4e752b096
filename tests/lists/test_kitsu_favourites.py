"""Favourites on Kitsu: in their order, with the list, and no reason to fail."""

from __future__ import annotations

from typing import Any

import pytest

from app.lists import kitsu
from app.lists.entry import AnimeList
from app.lists.http_client import HttpLimits, SourceClient, create_session
from app.recommender import WatchStatus
from app.web.requests.query import QueryOptions
from app.web.services.user_lists import to_user_list, with_seen_marks
from demo.data import DemoEntry
from demo.fake_upstream import FakeUpstream
from demo.http_server import json_response

LISTED = [DemoEntry(5, 9), DemoEntry(7, 10), DemoEntry(8, 4), DemoEntry(None, 10, media_id=900)]


def fetch(upstream: FakeUpstream, **ids: Any) -> AnimeList:
    client = SourceClient(
        "Kitsu", create_session("1", None), HttpLimits(backoff_factor=0, read_timeout=5)
    )
    known = ids.get("kitsu_to_mal", {})
    reader = kitsu.KitsuReader(
        client=client, kitsu_to_mal=known, base_url=upstream.base_url("kitsu")
    )
    return reader.read("Someone")


def who(favourites: Any, included: list[Any]) -> dict[str, Any]:
    user = {"id": "1", "attributes": {"name": "Someone"}, "relationships": favourites}
    return {"data": [user], "included": included}


def favourite(number: int, item: Any, rank: Any = None) -> dict[str, Any]:
    return {
        "id": str(number),
        "type": "favorites",
        "attributes": {"favRank": rank},
        "relationships": {"item": {"data": item}},
    }


def test_they_come_with_the_list_the_dearest_first(upstream: FakeUpstream) -> None:
    upstream.add_user("Someone", LISTED)
    fans = fetch(upstream)
    assert fans.favourites == (7, 5)  # a character and what has no id are left out
    assert [asked.path.rsplit("/")[-1] for asked in upstream.requests] == [
        "users",
        "library-entries",
    ]
    assert "favorites.item" in upstream.requests[0].query["include"]
    listed = to_user_list(fans)
    assert listed.favourite is not None
    assert dict(zip(listed.anime_id.tolist(), listed.favourite.tolist(), strict=True)) == {
        5: True,
        7: True,
        8: False,
    }
    again = with_seen_marks(listed, QueryOptions(seen=((11, 8),)))
    assert again.favourite is not None
    assert again.anime_id[again.favourite].tolist() == [5, 7]


def test_what_is_in_no_library_was_surely_seen(upstream: FakeUpstream) -> None:
    upstream.add_user("Someone", LISTED[:1])
    links = {"favorites": {"data": [{"type": "favorites", "id": str(n)} for n in range(1, 6)]}}
    included = [
        favourite(1, {"type": "anime", "id": "77"}, rank=2),
        favourite(2, {"type": "manga", "id": "5"}, rank=1),
        favourite(3, None),
        favourite(4, {"type": "anime", "id": "404"}),
        favourite(5, {"type": "anime", "id": "70"}, rank="junk"),
        favourite(6, {"type": "anime", "id": "78"}, rank=0),  # somebody else's
    ]
    upstream.queued_responses["kitsu"] = [
        json_response(200, who(links, included)),
        json_response(200, {"data": []}),
    ]
    fans = fetch(upstream, kitsu_to_mal={77: 100, 70: 101, 78: 102})
    assert fans.favourites == (100, 101)
    assert [(entry.anime_id, entry.status) for entry in fans.entries] == [
        (100, WatchStatus.UNKNOWN),
        (101, WatchStatus.UNKNOWN),
    ]


@pytest.mark.parametrize("links", [{}, {"favorites": {"links": {}}}, {"favorites": {"data": 3}}])
def test_without_favourites_the_list_is_as_it_was(upstream: FakeUpstream, links: Any) -> None:
    fan = upstream.add_user("Someone", LISTED[:2])
    answer = who(links, [])
    answer["data"][0]["id"] = str(fan.user_id)
    upstream.queued_responses["kitsu"] = [json_response(200, answer)]
    fans = fetch(upstream)
    assert fans.favourites == ()
    assert to_user_list(fans).favourite is None


def test_a_server_that_gives_none_along_is_asked_without(upstream: FakeUpstream) -> None:
    fan = upstream.add_user("Someone", LISTED[:2])
    refusal = {"errors": [{"title": "Invalid field", "detail": "favorites.item"}]}
    plain = {"data": [{"id": str(fan.user_id), "attributes": {"name": "Someone"}}]}
    upstream.queued_responses["kitsu"] = [json_response(400, refusal), json_response(200, plain)]
    assert [entry.anime_id for entry in fetch(upstream).entries] == [5, 7]
    assert "include" not in upstream.requests[1].query
