"""MyAnimeList's API v2."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from demo.data import DemoData, DemoEntry, DemoUser
from demo.faults import FOREIGN_URL, Fault, corrupt_fields, refusals
from demo.http_server import FakeResponse, RecordedRequest, json_response

PAGE_SIZE = 1_000


def _error_response(status: int, code: str, message: str = "") -> FakeResponse:
    return json_response(status, {"error": code, "message": message})


REFUSALS = {
    **refusals(
        private=_error_response(403, "not_permitted"),
        limited=_error_response(429, "too_many_requests"),
        down=_error_response(500, "internal_server_error"),
    ),
    Fault.REFUSED: _error_response(403, "forbidden", "DoS detected"),
}


def respond(path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer to a request for ``path``."""
    if "authorization" in request.headers:
        return _respond_signed_in(path, request, data)
    if "x-mal-client-id" not in request.headers:
        return _error_response(400, "bad_request", "Invalid client id")
    if found := re.fullmatch(r"/users/([^/]+)/animelist", path):
        fan = data.find_by_name(unquote(found[1]))
        return _list_response(fan, request) if fan else _error_response(404, "not_found")
    if found := re.fullmatch(r"/anime/(\d+)", path):
        anime_id = int(found[1])
        if anime_id not in data.synopses:
            return _error_response(404, "not_found")
        return json_response(200, _anime_json(DemoEntry(anime_id), data.synopses[anime_id]))
    return _error_response(404, "not_found")


def _respond_signed_in(path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    fan = data.owner_of(request.headers["authorization"])
    if fan is None:
        return _error_response(401, "invalid_token", "token is invalid")
    if path == "/users/@me":
        return json_response(200, {"id": fan.user_id, "name": fan.name})
    if path == "/users/@me/animelist":
        return _list_response(fan, request)
    found = re.fullmatch(r"/anime/(\d+)(/my_list_status)?", path)
    if not found or int(found[1]) not in data.synopses:
        return _error_response(404, "not_found")
    anime_id = int(found[1])
    if request.method == "PATCH":
        data.plan(fan, DemoEntry(anime_id, status=request.body["status"]))
        return json_response(200, {**request.body, "score": 0, "num_episodes_watched": 0})
    listed = [each.status for each in fan.entries if each.anime_id == anime_id]
    mine = {"my_list_status": {"status": listed[0], "score": 0}} if listed else {}
    return json_response(200, {"id": anime_id, "title": f"Title {anime_id}", **mine})


def _list_response(user: DemoUser, request: RecordedRequest) -> FakeResponse:
    size, start = int(request.query.get("limit", "100")), int(request.query.get("offset", "0"))
    if size > PAGE_SIZE:
        return _error_response(400, "bad_request", "limit is too large")
    entries = user.entries
    if request.query.get("nsfw") != "true":
        entries = entries[1:]  # as if the first were flagged
    if user.fault is Fault.ENDLESS:
        start = 0
    body: dict[str, Any] = {
        "data": [entry_json(e) for e in entries[start : start + size]],
        "paging": {},
    }
    if user.fault is Fault.FOREIGN_NEXT:
        body["paging"]["next"] = FOREIGN_URL
    elif start + size < len(entries) or user.fault is Fault.ENDLESS:
        body["paging"]["next"] = request.url_with(offset=start + size)
    return json_response(200, corrupt_fields(user.fault, body, "score"))


def entry_json(entry: DemoEntry) -> dict[str, Any]:
    """A list entry as MyAnimeList writes it."""
    status = {
        "status": entry.status,
        "score": int(entry.score),
        "num_episodes_watched": 1,
        "is_rewatching": entry.rewatching,
        "updated_at": "2026-01-02T03:04:05+00:00",
    }
    return {"node": _anime_json(entry, "What it is about."), "list_status": status}


def _anime_json(entry: DemoEntry, synopsis: str) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": entry.anime_id,
        "title": entry.title,
        "alternative_titles": {"synonyms": [], "en": "", "ja": ""},
        "synopsis": synopsis,
        "rating": "pg_13",
        "nsfw": "white",
        "not_asked_for": [],
    }
    if entry.site_id % 7:  # some have no picture
        host = "https://cdn.myanimelist.net/images/anime/0"
        node["main_picture"] = {
            "medium": f"{host}/{entry.anime_id}.jpg",
            "large": f"{host}/{entry.anime_id}l.jpg",
        }
    return node
