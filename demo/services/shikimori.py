"""Shikimori's API."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from demo.faults import RETRY_AFTER, Fault, damaged
from demo.wire import Answer, Asked, as_json
from demo.world import Fan, Listed, World

PAGE = 5_000


def answer(path: str, asked: Asked, world: World) -> Answer:
    """The answer to a request for ``path``."""
    if asked.headers.get("user-agent", "").startswith("python-requests"):
        return _fault(403, "Name your application")
    found = re.fullmatch(r"/users/([^/]+)/anime_rates", path)
    fan = world.named(unquote(found[1])) if found else None
    return _list(fan, asked) if fan else _fault(404, "Not Found")


def _list(fan: Fan, asked: Asked) -> Answer:
    refused = {
        Fault.PRIVATE: _fault(403, "Forbidden"),
        Fault.LIMITED: _fault(429, "Retry later", **RETRY_AFTER),
        Fault.LIMITED_SILENTLY: _fault(429, "Retry later"),
        Fault.DOWN: _fault(500, "Internal Server Error"),
    }.get(fan.fault or Fault.FLAKY)
    if refused:
        return refused
    size, page = min(int(asked.query.get("limit", "20")), PAGE), int(asked.query.get("page", "1"))
    start = (page - 1) * size
    # One row more than asked for, when there is one.
    rows = [_row(entry) for entry in fan.entries[start : start + size + 1]]
    if fan.fault is Fault.ENDLESS:
        rows = [_row(Listed(n)) for n in range(1, size + 2)]
    return as_json(200, damaged(fan.fault, rows, "score"))


def _row(entry: Listed) -> dict[str, Any]:
    status = "planned" if entry.status == "plan_to_watch" else entry.status
    anime = {"id": entry.anime_id, "name": entry.title, "russian": "", "score": "6.82"}
    return {
        "score": int(entry.score),
        "status": "rewatching" if entry.rewatching else status,
        "episodes": 1,
        "rewatches": 0,
        "anime": anime,
    }


def _fault(status: int, message: str, **headers: str) -> Answer:
    return as_json(status, {"code": status, "message": message}, **headers)
