"""Jikan, version 4 (nested rows, and details of an anime) and version 3 (flat rows)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from demo.faults import RETRY_AFTER, Fault, damaged
from demo.wire import Answer, Asked, as_json
from demo.world import MAL_CODES, Fan, Listed, World

PAGE = 300


def answer(path: str, asked: Asked, world: World) -> Answer:
    """The answer of version 4 to a request for ``path``."""
    if found := re.fullmatch(r"/anime/(\d+)", path):
        return _anime(int(found[1]), world)
    found = re.fullmatch(r"/users/([^/]+)/animelist", path)
    if not found:
        return _fault(404, "HttpException", "Not Found")
    rows = _rows(world.named(unquote(found[1])), int(asked.query.get("page", "1")))
    return rows if isinstance(rows, Answer) else as_json(200, {"data": rows})


def answer_flat(path: str, _asked: Asked, world: World) -> Answer:
    """The answer of version 3."""
    found = re.fullmatch(r"/user/([^/]+)/animelist(?:/all(?:/(\d+))?)?", path)
    if not found:
        return _fault(404, "HttpException", "Not Found")
    rows = _rows(world.named(unquote(found[1])), int(found[2] or 1))
    if isinstance(rows, Answer):
        return rows
    flat = [{**row.pop("anime"), **row} for row in rows]
    return as_json(200, {"request_cached": True, "anime": flat})


def _rows(fan: Fan | None, page: int) -> list[dict[str, Any]] | Answer:
    if fan is None:
        return _fault(404, "BadResponseException", "Resource does not exist")
    refused = {
        Fault.PRIVATE: _fault(400, "ValidationException", "Bad Request"),
        Fault.LIMITED: _fault(429, "RateLimitException", "Slow down", **RETRY_AFTER),
        Fault.LIMITED_SILENTLY: _fault(429, "RateLimitException", "Slow down"),
        Fault.DOWN: _fault(500, "UpstreamException", "MyAnimeList failed"),
        Fault.NO_LISTS: _fault(404, "HttpException", "Not Found"),
    }.get(fan.fault or Fault.FLAKY)
    if refused:
        return refused
    start = 0 if fan.fault is Fault.ENDLESS else (page - 1) * PAGE
    rows = [_row(entry) for entry in fan.entries[start : start + PAGE]]
    broken: list[dict[str, Any]] = damaged(fan.fault, rows, "score")
    return broken


def _row(entry: Listed) -> dict[str, Any]:
    return {
        "watching_status": MAL_CODES.get(entry.status, 9),
        "score": int(entry.score),
        "episodes_watched": 1,
        "tags": None,
        "is_rewatching": entry.rewatching,
        "anime": {"mal_id": entry.anime_id, "title": entry.title, "studios": []},
    }


def _anime(anime_id: int, world: World) -> Answer:
    if anime_id not in world.synopses:
        return _fault(404, "BadResponseException", "Resource does not exist")
    image = f"https://cdn.myanimelist.net/images/anime/0/{anime_id}.jpg"
    data = {
        "mal_id": anime_id,
        "images": {"jpg": {"image_url": image}, "webp": {}},
        "synopsis": world.synopses[anime_id],
    }
    return as_json(200, {"data": data})


def _fault(status: int, kind: str, message: str, **headers: str) -> Answer:
    body = {"status": status, "type": kind, "message": message, "error": f"{status} on https://…"}
    return as_json(status, body, **headers)
