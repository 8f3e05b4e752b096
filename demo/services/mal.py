"""MyAnimeList's API v2."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlencode

from demo.faults import FOREIGN, RETRY_AFTER, Fault, damaged
from demo.wire import Answer, Asked, as_json
from demo.world import Fan, Listed, World

PAGE = 1_000


def answer(path: str, asked: Asked, world: World) -> Answer:
    """The answer to a request for ``path``."""
    if "x-mal-client-id" not in asked.headers:
        return _fault(400, "bad_request", "Invalid client id")
    if found := re.fullmatch(r"/users/([^/]+)/animelist", path):
        fan = world.named(unquote(found[1]))
        return _list(fan, asked) if fan else _fault(404, "not_found")
    if found := re.fullmatch(r"/anime/(\d+)", path):
        anime_id = int(found[1])
        if anime_id not in world.synopses:
            return _fault(404, "not_found")
        return as_json(200, _node(Listed(anime_id), world.synopses[anime_id]))
    return _fault(404, "not_found")


def _list(fan: Fan, asked: Asked) -> Answer:
    if refused := _refused(fan.fault):
        return refused
    size, start = int(asked.query.get("limit", "100")), int(asked.query.get("offset", "0"))
    if size > PAGE:
        return _fault(400, "bad_request", "limit is too large")
    entries = fan.entries
    if asked.query.get("nsfw") != "true":
        entries = entries[1:]  # as if the first were flagged
    if fan.fault is Fault.ENDLESS:
        start = 0
    body: dict[str, Any] = {"data": [row(e) for e in entries[start : start + size]], "paging": {}}
    if fan.fault is Fault.FOREIGN_NEXT:
        body["paging"]["next"] = FOREIGN
    elif start + size < len(entries) or fan.fault is Fault.ENDLESS:
        query = urlencode({**asked.query, "offset": start + size})
        body["paging"]["next"] = f"http://{asked.headers['host']}{asked.path}?{query}"
    return as_json(200, damaged(fan.fault, body, "score"))


def _refused(fault: Fault | None) -> Answer | None:
    return {
        Fault.PRIVATE: _fault(403, "not_permitted"),
        Fault.LIMITED: _fault(429, "too_many_requests", **RETRY_AFTER),
        Fault.LIMITED_SILENTLY: _fault(429, "too_many_requests"),
        Fault.DOWN: _fault(500, "internal_server_error"),
        Fault.REFUSED: _fault(403, "forbidden", "DoS detected"),
    }.get(fault or Fault.FLAKY)


def row(entry: Listed) -> dict[str, Any]:
    """A list entry as MyAnimeList writes it."""
    status = {
        "status": entry.status,
        "score": int(entry.score),
        "num_episodes_watched": 1,
        "is_rewatching": entry.rewatching,
        "updated_at": "2026-01-02T03:04:05+00:00",
    }
    return {"node": _node(entry, "What it is about."), "list_status": status}


def _node(entry: Listed, synopsis: str) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": entry.anime_id,
        "title": entry.title,
        "alternative_titles": {"synonyms": [], "en": "", "ja": ""},
        "synopsis": synopsis,
        "rating": "pg_13",
        "nsfw": "white",
        "not_asked_for": [],
    }
    if entry.own_id % 7:  # some have no picture
        host = "https://cdn.myanimelist.net/images/anime/0"
        node["main_picture"] = {
            "medium": f"{host}/{entry.anime_id}.jpg",
            "large": f"{host}/{entry.anime_id}l.jpg",
        }
    return node


def _fault(status: int, code: str, message: str = "", **headers: str) -> Answer:
    return as_json(status, {"error": code, "message": message}, **headers)
