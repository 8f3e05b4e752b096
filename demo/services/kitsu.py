"""Kitsu's JSON:API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from demo.faults import FOREIGN, RETRY_AFTER, Fault, damaged
from demo.wire import Answer, Asked, as_json
from demo.world import Fan, Listed, World

PAGE = 500
_STATUSES = {"watching": "current", "plan_to_watch": "planned"}


def answer(path: str, asked: Asked, world: World) -> Answer:
    """The answer to a request for ``path``."""
    if asked.headers.get("accept") != "application/vnd.api+json":
        return _fault(406, "Not acceptable")
    if path == "/users":
        name = asked.query.get("filter[name]") or asked.query.get("filter[slug]") or ""
        fan = world.named(name)
        return as_json(200, {"data": [_user(fan)] if fan else []})
    if path == "/library-entries":
        fan = world.numbered(asked.query.get("filter[userId]", ""))
        if int(asked.query.get("page[limit]", "10")) > PAGE:
            return _fault(400, "Limit exceeds maximum page size of 500.")
        return _library(fan, asked) if fan else as_json(200, {"data": [], "links": {}})
    return _fault(404, "Not found")


def _user(fan: Fan) -> dict[str, Any]:
    facts = {"name": fan.name, "slug": fan.name.casefold()}
    return {"id": str(fan.number), "type": "users", "attributes": facts}


def _library(fan: Fan, asked: Asked) -> Answer:
    refused = {
        Fault.PRIVATE: _fault(403, "Forbidden"),
        Fault.LIMITED: _fault(429, "Rate Limit Exceeded", **RETRY_AFTER),
        Fault.LIMITED_SILENTLY: _fault(429, "Rate Limit Exceeded"),
        Fault.DOWN: _fault(500, "Internal Server Error"),
    }.get(fan.fault or Fault.FLAKY)
    if refused:
        return refused
    start = 0 if fan.fault is Fault.ENDLESS else int(asked.query.get("page[offset]", "0"))
    size = int(asked.query.get("page[limit]", "10"))
    shown = fan.entries[start : start + size]
    links = {}
    if fan.fault is Fault.FOREIGN_NEXT:
        links["next"] = FOREIGN
    elif start + size < len(fan.entries) or fan.fault is Fault.ENDLESS:
        query = urlencode({**asked.query, "page[offset]": start + size})
        links["next"] = f"http://{asked.headers['host']}{asked.path}?{query}"
    body = {
        "data": [entry(listed) for listed in shown],
        "included": [record for listed in shown for record in included(listed)],
        "meta": {"count": len(fan.entries)},
        "links": links,
    }
    return as_json(200, damaged(fan.fault, body, "ratingTwenty"))


def entry(listed: Listed) -> dict[str, Any]:
    """A library listed."""
    facts = {
        "status": _STATUSES.get(listed.status, listed.status),
        "progress": 1,
        # Of twenty; some servers write it as text.
        "ratingTwenty": None if not listed.score else _twenty(listed),
        "reconsuming": listed.rewatching,
    }
    link = {"anime": {"data": {"type": "anime", "id": str(listed.own_id)}}}
    return {
        "id": str(listed.own_id),
        "type": "libraryEntries",
        "attributes": facts,
        "relationships": link,
    }


def _twenty(entry: Listed) -> int | str:
    twenty = round(entry.score * 2)
    return str(twenty) if entry.own_id % 5 == 0 else twenty


def included(listed: Listed) -> list[dict[str, Any]]:
    """The records that come along with an listed."""
    own = str(listed.own_id)
    sites = {"anilist/anime": own}
    if listed.anime_id is not None:
        # Some are written as the rest of an address.
        slug = f"{listed.anime_id}/a-title" if listed.anime_id % 3 == 0 else str(listed.anime_id)
        sites["myanimelist/anime"] = slug
    mappings = [
        {
            "id": f"{own}-{place}",
            "type": "mappings",
            "attributes": {"externalSite": site, "externalId": number},
        }
        for place, (site, number) in enumerate(sites.items())
    ]
    anime = {
        "id": own,
        "type": "anime",
        "attributes": {"canonicalTitle": listed.title},
        "relationships": {
            "mappings": {"data": [{"type": "mappings", "id": m["id"]} for m in mappings]}
        },
    }
    return [anime, *mappings]


def _fault(status: int, title: str, **headers: str) -> Answer:
    errors = [{"title": title, "detail": title, "code": str(status), "status": str(status)}]
    return as_json(status, {"errors": errors}, **headers)
