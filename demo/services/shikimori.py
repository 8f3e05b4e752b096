"""Shikimori's API."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from demo.data import DemoData, DemoEntry, DemoUser
from demo.faults import corrupt_fields, refusals
from demo.http_server import FakeResponse, RecordedRequest, json_response

PAGE_SIZE = 5_000


def _error_response(status: int, message: str) -> FakeResponse:
    return json_response(status, {"code": status, "message": message})


REFUSALS = refusals(
    private=_error_response(403, "Forbidden"),
    limited=_error_response(429, "Retry later"),
    down=_error_response(500, "Internal Server Error"),
)


def respond(path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer to a request for ``path``."""
    if request.headers.get("user-agent", "").startswith("python-requests"):
        return _error_response(403, "Name your application")
    found = re.fullmatch(r"/users/([^/]+)/anime_rates", path)
    fan = _find_user(unquote(found[1]), request, data) if found else None
    return _list_response(fan, request) if fan else _error_response(404, "Not Found")


def _find_user(name: str, request: RecordedRequest, data: DemoData) -> DemoUser | None:
    """By number, if the name begins with one, unless it is said to be a nickname."""
    number = re.match(r"\d+", name)
    if number and request.query.get("is_nickname") != "1":
        return data.find_by_id(number[0])
    return data.find_by_name(name)


def _list_response(user: DemoUser, request: RecordedRequest) -> FakeResponse:
    size = min(int(request.query.get("limit", "20")), PAGE_SIZE)
    start = (int(request.query.get("page", "1")) - 1) * size
    # One row more than asked for, when there is one.
    rows = [_entry_json(entry) for entry in user.page(start, size + 1)]
    return json_response(200, corrupt_fields(user.fault, rows, "score"))


def _entry_json(entry: DemoEntry) -> dict[str, Any]:
    status = "planned" if entry.status == "plan_to_watch" else entry.status
    anime = {"id": entry.anime_id, "name": entry.title, "russian": "", "score": "6.82"}
    return {
        "score": int(entry.score),
        "status": "rewatching" if entry.rewatching else status,
        "episodes": 1,
        "rewatches": 0,
        "anime": anime,
    }
