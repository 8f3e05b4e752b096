"""Pictures and relations from AniList: what is missing, politely, and nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.lists.http_client import create_session
from app.pictures import ANILIST_PICTURE_BASE, MAL_PICTURE_BASE
from demo.fake_upstream import FakeUpstream
from demo.http_server import FakeResponse, json_response
from model_build.cli import main
from model_build.collect.anilist_media import (
    add_pictures_and_relations,
    collect_media,
    order_by_need,
)
from model_build.collect.client import MAX_CONSECUTIVE_FAILURES, Backoff, JsonClient, RequestStats
from model_build.collect.response_cache import ResponseCache
from model_build.util.errors import InputError

OURS = f"{MAL_PICTURE_BASE}1/1.jpg"
COUNT = 120


def table() -> pl.DataFrame:
    ids = list(range(1, COUNT + 1))
    return pl.DataFrame(
        {
            "anime_id": ids,
            "title": [f"Title {number}" for number in ids],
            "members": [1000 - number if number > 2 else None for number in ids],
            "picture": [OURS if number == 5 else None for number in ids],
            "relations": ["sequel:6" if number == 5 else None for number in ids],
        }
    )


@pytest.fixture
def anilist(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> FakeUpstream:
    for name, value in upstream.environment().items():
        monkeypatch.setenv(name, value)
    upstream.data.synopses |= {number: "About." for number in range(1, COUNT + 1) if number != 7}
    upstream.data.relations |= {5: [("PREQUEL", 6), ("ADAPTATION", 9)], 8: [("SEQUEL", 10)]}
    return upstream


def asked_ids(upstream: FakeUpstream) -> list[list[int]]:
    return [request.body["variables"]["ids"] for request in upstream.requests]


def test_a_table_is_completed_and_goes_on_where_it_stopped(
    anilist: FakeUpstream, tmp_path: Path
) -> None:
    start, out = tmp_path / "anime.parquet", tmp_path / "new.parquet"
    table().write_parquet(start)
    command = ["catalogue", "--catalogue", str(start), "--out", str(out)]
    assert main([*command, "--anilist", "2"]) == 0
    first, second = asked_ids(anilist)
    assert (first, second) == ([3, 4, *range(6, 54)], list(range(54, 104))), "the best known first"
    rows = {row["anime_id"]: row for row in pl.read_parquet(out).to_dicts()}
    assert rows[3]["picture"] == f"{ANILIST_PICTURE_BASE}bx3-demo.jpg"
    assert rows[5]["picture"] == OURS, "what is there stays"
    assert (rows[7]["picture"], rows[104]["picture"]) == (None, None)
    assert (rows[8]["relations"], rows[10]["relations"]) == ("sequel:10", "prequel:8")
    assert rows[8]["franchise_id"] == rows[10]["franchise_id"] is not None

    anilist.requests.clear()
    assert main([*command, "--anilist", "9"]) == 0
    assert asked_ids(anilist) == [[*range(104, 121), 1, 2]], "only what was not asked for"
    whole = pl.read_parquet(out)
    assert whole["picture"].null_count() == 1, "AniList does not know 7"
    anilist.requests.clear()
    assert main([*command, "--anilist", "9"]) == 0
    assert anilist.requests == []
    assert pl.read_parquet(out).equals(whole)


class Collector:
    """`collect_media` with a clock that does not wait."""

    def __init__(self, upstream: FakeUpstream, folder: Path) -> None:
        self.url = upstream.base_url("anilist")
        self.responses = ResponseCache(folder)
        self.waits: list[float] = []

    def __call__(self, ids: list[int], **options: Any) -> list[dict[str, Any]]:
        backoff = Backoff("AniList", RequestStats(), 600, sleep=self.waits.append)
        client = JsonClient("AniList", create_session("1", None), None, backoff)
        options = {"max_requests": 10} | options
        return collect_media(ids, client, self.url, self.responses, **options)


@pytest.fixture
def collect(anilist: FakeUpstream, tmp_path: Path) -> Collector:
    return Collector(anilist, tmp_path / "answers")


def test_it_rests_as_long_as_it_is_told(anilist: FakeUpstream, collect: Collector) -> None:
    limited = json_response(429, {"errors": [{"message": "Too Many Requests."}]})
    anilist.queued_responses["anilist"] = [
        FakeResponse(limited.status, limited.body, {**limited.headers, "Retry-After": "47"}),
        json_response(200, {"errors": [{"message": "Boom"}], "data": None}),
    ]
    assert {media["idMal"] for media in collect([1, 2, 7])} == {1, 2}
    assert collect.waits == [47.0]
    assert len(anilist.requests) == 3


def test_what_came_before_a_refusal_is_kept(anilist: FakeUpstream, collect: Collector) -> None:
    collect(list(range(1, 51)))
    anilist.queued_responses["anilist"] = [json_response(403, {"errors": [{"status": 403}]})]
    with pytest.raises(InputError, match=r"AniList refuses \(HTTP 403\): what came is kept"):
        collect(list(range(1, 101)))
    anilist.requests.clear()
    assert len(collect(list(range(1, 101)))) == 99
    assert asked_ids(anilist) == [list(range(51, 101))]


def test_a_site_that_is_gone_is_given_up(anilist: FakeUpstream, collect: Collector) -> None:
    page = FakeResponse(200, b"<html>Just a moment...</html>")
    anilist.queued_responses["anilist"] = [page] * MAX_CONSECUTIVE_FAILURES
    with pytest.raises(InputError, match="has failed 20 times in a row"):
        collect([1])


def test_pictures_come_first_and_what_has_both_is_not_asked_for() -> None:
    frame = pl.DataFrame(
        {
            "anime_id": [1, 2, 3, 4],
            "members": [9, 8, 7, 6],
            "picture": [OURS, OURS, None, None],
            "relations": ["sequel:2", None, None, "sequel:1"],
        }
    )
    assert order_by_need(frame) == [3, 4, 2]
    assert order_by_need(frame.select("anime_id")) == [1, 2, 3, 4]


def test_awkward_media_are_left_out() -> None:
    media: list[dict[str, Any]] = [
        {},
        {"idMal": None, "coverImage": None, "relations": None},
        {"idMal": 1, "coverImage": {"extraLarge": "https://evil.example/1.jpg"}},
        {"idMal": 2, "relations": {"edges": [None, {"node": None, "relationType": "SEQUEL"}]}},
    ]
    found = add_pictures_and_relations(pl.DataFrame({"anime_id": [1, 2]}), media)
    assert found["picture"].to_list() == found["relations"].to_list() == [None, None]
