"""The JSON behind MyAnimeList's list pages."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from demo.faults import RETRY_AFTER, Fault, damaged
from demo.wire import Answer, Asked, as_json
from demo.world import MAL_CODES, Fan, Listed, World

PAGE = 300
_NO = {"errors": [{"message": "invalid request"}]}


def answer(path: str, asked: Asked, world: World) -> Answer:
    """The answer to a request for ``path``."""
    if asked.headers.get("user-agent", "").startswith("python-requests"):
        return Answer(200, b"", stall="headers")
    found = re.fullmatch(r"/animelist/([^/]+)/load\.json", path)
    if not found:
        return Answer(404, b"<html>404</html>", {"Content-Type": "text/html"})
    fan = world.named(unquote(found[1]))
    return _list(fan, asked) if fan else as_json(400, _NO)


def _list(fan: Fan, asked: Asked) -> Answer:
    refused = {
        Fault.PRIVATE: as_json(400, _NO),
        Fault.LIMITED: Answer(429, b"Too Many Requests", RETRY_AFTER),
        Fault.LIMITED_SILENTLY: Answer(429, b"Too Many Requests"),
        Fault.DOWN: Answer(500, b""),
    }.get(fan.fault or Fault.FLAKY)
    if refused:
        return refused
    start = int(asked.query.get("offset", "0"))
    rows = [_row(entry) for entry in fan.entries[start : start + PAGE]]
    if fan.fault is Fault.ENDLESS:
        rows = [_row(Listed(n)) for n in range(1, PAGE + 1)]
    return as_json(200, damaged(fan.fault, rows, "score"))


def _row(entry: Listed) -> dict[str, Any]:
    title: str | int = int(entry.title) if entry.title.isdigit() else entry.title
    return {
        "status": MAL_CODES.get(entry.status, 9),
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
