"""The JSON behind MyAnimeList's list pages."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from demo.data import MAL_STATUS_CODES, DemoData, DemoEntry, DemoUser
from demo.faults import corrupt_fields, refusals
from demo.http_server import FakeResponse, RecordedRequest, json_response
from demo.services import sign_in

PAGE_SIZE = 300
_INVALID_REQUEST = json_response(400, {"errors": [{"message": "invalid request"}]})
REFUSALS = refusals(
    private=_INVALID_REQUEST,
    limited=FakeResponse(429, b"Too Many Requests"),
    down=FakeResponse(500, b""),
)


def respond(path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer to a request for ``path``."""
    if path.startswith(sign_in.MAL_PATH):
        return sign_in.respond_mal(path, request, data)
    if request.headers.get("user-agent", "").startswith("python-requests"):
        return FakeResponse(200, b"", stall="headers")
    found = re.fullmatch(r"/animelist/([^/]+)/load\.json", path)
    if not found:
        return FakeResponse(404, b"<html>404</html>", {"Content-Type": "text/html"})
    fan = data.find_by_name(unquote(found[1]))
    return _list_response(fan, request) if fan else _INVALID_REQUEST


def _list_response(user: DemoUser, request: RecordedRequest) -> FakeResponse:
    start = int(request.query.get("offset", "0"))
    rows = [_entry_json(entry) for entry in user.page(start, PAGE_SIZE)]
    return json_response(200, corrupt_fields(user.fault, rows, "score"))


def _entry_json(entry: DemoEntry) -> dict[str, Any]:
    title: str | int = int(entry.title) if entry.title.isdigit() else entry.title
    return {
        "status": MAL_STATUS_CODES.get(entry.status, 9),
        "score": int(entry.score),
        "tags": "",
        "is_rewatching": int(entry.rewatching),
        "num_watched_episodes": 1,
        "anime_title": title,
        "anime_id": entry.anime_id,
        "anime_season": None,
        "genres": [],
        "anime_image_path": "https://cdn.myanimelist.net/r/192x272/images/anime/0/0.jpg?s=a",
    }
