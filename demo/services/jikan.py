"""Jikan, version 4 (nested rows, and details of an anime) and version 3 (flat rows)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from demo.data import MAL_STATUS_CODES, DemoData, DemoEntry, DemoUser
from demo.faults import Fault, corrupt_fields, refusals
from demo.http_server import FakeResponse, RecordedRequest, json_response

PAGE_SIZE = 300


def _error_response(status: int, kind: str, message: str) -> FakeResponse:
    body = {"status": status, "type": kind, "message": message, "error": f"{status} on https://…"}
    return json_response(status, body)


REFUSALS = {
    **refusals(
        private=_error_response(400, "ValidationException", "Bad Request"),
        limited=_error_response(429, "RateLimitException", "Slow down"),
        down=_error_response(500, "UpstreamException", "MyAnimeList failed"),
    ),
    Fault.NO_LISTS: _error_response(404, "HttpException", "Not Found"),
}


def respond_v4(path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer of version 4 to a request for ``path``."""
    if found := re.fullmatch(r"/anime/(\d+)", path):
        return _details_response(int(found[1]), data)
    found = re.fullmatch(r"/users/([^/]+)/animelist", path)
    if not found:
        return _error_response(404, "HttpException", "Not Found")
    entries = _page_entries(
        data.find_by_name(unquote(found[1])), int(request.query.get("page", "1"))
    )
    return entries if isinstance(entries, FakeResponse) else json_response(200, {"data": entries})


def respond_v3(path: str, _request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer of version 3."""
    found = re.fullmatch(r"/user/([^/]+)/animelist(?:/all(?:/(\d+))?)?", path)
    if not found:
        return _error_response(404, "HttpException", "Not Found")
    entries = _page_entries(data.find_by_name(unquote(found[1])), int(found[2] or 1))
    if isinstance(entries, FakeResponse):
        return entries
    flat = [{**row.pop("anime"), **row} for row in entries]
    return json_response(200, {"request_cached": True, "anime": flat})


def _page_entries(user: DemoUser | None, page: int) -> list[dict[str, Any]] | FakeResponse:
    if user is None:
        return _error_response(404, "BadResponseException", "Resource does not exist")
    rows = [_entry_json(entry) for entry in user.page((page - 1) * PAGE_SIZE, PAGE_SIZE)]
    broken: list[dict[str, Any]] = corrupt_fields(user.fault, rows, "score")
    return broken


def _entry_json(entry: DemoEntry) -> dict[str, Any]:
    return {
        "watching_status": MAL_STATUS_CODES.get(entry.status, 9),
        "score": int(entry.score),
        "episodes_watched": 1,
        "tags": None,
        "is_rewatching": entry.rewatching,
        "anime": {"mal_id": entry.anime_id, "title": entry.title, "studios": []},
    }


def _details_response(anime_id: int, demo_data: DemoData) -> FakeResponse:
    if anime_id not in demo_data.synopses:
        return _error_response(404, "BadResponseException", "Resource does not exist")
    image = f"https://cdn.myanimelist.net/images/anime/0/{anime_id}.jpg"
    data = {
        "mal_id": anime_id,
        "images": {"jpg": {"image_url": image}, "webp": {}},
        "synopsis": demo_data.synopses[anime_id],
    }
    return json_response(200, {"data": data})
