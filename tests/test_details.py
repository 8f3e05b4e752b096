"""Pictures and synopses: in batches, from the next service when one fails, remembered for days."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.details import Shelf, build_shelf
from app.details.shelf import FRESH
from app.lists import Services, SourceSettings
from app.lists.entry import Details
from app.lists.http import Limits
from app.upstream import Pace, Shared
from demo.upstream import Upstream
from demo.wire import Answer, as_json

Make = Callable[..., Shelf]


@pytest.fixture
def make(tmp_path: Path, upstream: Upstream) -> Make:
    def shelf(details: str | None = None, **settings: Any) -> Shelf:
        defaults: dict[str, Any] = {
            "anilist_url": upstream.at("anilist"),
            "mal_url": upstream.at("mal"),
            "limits": Limits(backoff=0),
            "paces": {},
        }
        made = SourceSettings(version="1", shared=Shared(tmp_path), **(defaults | settings))
        return build_shelf(Services(made), details)

    upstream.world.synopses.update({n: f"About<br><i>{n}</i> &amp; more" for n in range(1, 121)})
    return shelf


def asked(upstream: Upstream) -> list[str]:
    return [request.path for request in upstream.requests]


def test_fifty_at_a_time(make: Make, upstream: Upstream) -> None:
    ids = [*range(1, 121), 999]
    found = make().find(ids)
    assert found.complete
    assert [each.anime_id for each in found.details] == ids[:-1]
    assert found.details[4] == Details(5, "https://s4.anilist.co/file/5.jpg", "About\n\n5 & more")
    batches = [request.body["variables"]["ids"] for request in upstream.requests]
    assert [len(batch) for batch in batches] == [50, 50, 21]
    assert all(request.headers["referer"] == "http://localhost/" for request in upstream.requests)


def test_what_is_known_is_not_asked_again(make: Make, upstream: Upstream) -> None:
    make().find([1, 2, 999])
    again = make().find([1, 999])
    assert [each.anime_id for each in again.details] == [1]
    assert again.complete
    assert len(upstream.requests) == 1


def test_what_came_along_with_a_list_is_not_asked(make: Make, upstream: Upstream) -> None:
    shelf = make()
    shelf.learn([Details(7, None, "Learnt")])
    assert shelf.find([7]).details == (Details(7, None, "Learnt"),)
    assert not upstream.requests


DOWN = [
    Answer(403, b"<html>Just a moment...</html>"),
    Answer(200, b"<html></html>"),
    as_json(200, {"data": {"Page": None}}),
    as_json(429, {"errors": [{"message": "Too Many Requests.", "status": 429}]}),
]


@pytest.mark.parametrize("answer", DOWN, ids=lambda answer: str(answer.status))
@pytest.mark.parametrize(
    ("place", "picture"),
    [("mal", "https://cdn.myanimelist.net/images/anime/0/5.jpg"), ("jikan", None)],
)
def test_the_next_service_stands_in(
    make: Make, upstream: Upstream, answer: Answer, place: str, picture: str | None
) -> None:
    settings = {"mal_client_id": "key"} if place == "mal" else {}
    shelf = make(upstream.at("jikan") if place == "jikan" else None, **settings)
    upstream.replies["anilist"] = [answer] * 3
    found = shelf.find([5, 999])
    (details,) = found.details
    assert details.synopsis == "About\n\n5 & more"
    assert picture is None or details.picture == picture
    base = "/mal/v2" if place == "mal" else "/jikan/v4"
    assert asked(upstream)[-2:] == [f"{base}/anime/5", f"{base}/anime/999"]
    assert not found.complete  # AniList was not heard about 999


def test_old_details_are_better_than_none(
    make: Make, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = make()
    first = shelf.find([1])
    now = time.time
    monkeypatch.setattr("app.details.shelf.time.time", lambda: now() + FRESH + 60)
    upstream.replies["anilist"] = [Answer(500, b"")] * 3
    old = shelf.find([1])
    assert (old.details, old.complete) == (first.details, False)
    assert shelf.find([1]).complete


def test_nothing_at_all_is_an_answer(make: Make, upstream: Upstream) -> None:
    upstream.replies["anilist"] = [Answer(500, b"")] * 3
    found = make().find([1])
    assert (found.details, found.complete) == ((), False)


def test_our_own_limit_leaves_details_out(make: Make, upstream: Upstream) -> None:
    shelf = make(paces={"anilist": (Pace(1, 60),)})
    found = shelf.find(list(range(1, 61)))
    assert len(found.details) == 50
    assert not found.complete
    assert len(upstream.requests) == 1


def test_pictures_from_elsewhere_are_not_shown(make: Make, upstream: Upstream) -> None:
    media = [
        {"idMal": 1, "description": None, "coverImage": {"large": "https://evil.example/a.jpg"}},
        {"idMal": 2, "description": "  ", "coverImage": {"large": "javascript:alert(1)"}},
        {"idMal": 3, "description": "Only text", "coverImage": None},
        {"idMal": 77, "description": "Nobody asked", "coverImage": None},
    ]
    upstream.replies["anilist"] = [as_json(200, {"data": {"Page": {"media": media}}})]
    assert make().find([1, 2, 3]).details == (Details(3, None, "Only text"),)
