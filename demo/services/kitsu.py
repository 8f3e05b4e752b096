"""Kitsu's JSON:API."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from demo.faults import FOREIGN, RETRY_AFTER, Fault, damaged
from demo.services import kitsu_crowd
from demo.services.kitsu_favourites import with_favourites
from demo.wire import Answer, Asked, as_json
from demo.world import Fan, Kind, Listed, World

PAGE = 500
_STATUSES = {"watching": "current", "plan_to_watch": "planned"}


def answer(path: str, asked: Asked, world: World) -> Answer:
    """The answer to a request for ``path``."""
    if asked.headers.get("accept") != "application/vnd.api+json":
        return _fault(406, "Not acceptable")
    if world.crowd and (
        trouble := kitsu_crowd.trouble(world.crowd) or kitsu_crowd.refusal(asked, world.crowd)
    ):
        return trouble
    if path in kitsu_crowd.PATHS and world.crowd and "page[offset]" in asked.query:
        if int(asked.query["page[limit]"]) > kitsu_crowd.PAGE:
            return _fault(400, "Limit exceeds maximum page size of 20.")
        return kitsu_crowd.answer(path, asked, world.crowd)
    if path == "/users":
        name = asked.query.get("filter[name]") or asked.query.get("filter[slug]") or ""
        fan = world.named(name)
        body = {"data": [_user(fan)] if fan else []}
        return as_json(200, with_favourites(body, fan, asked) if fan else body)
    if path == "/library-entries":
        fan = world.numbered(asked.query.get("filter[userId]", ""))
        if int(asked.query.get("page[limit]", "10")) > PAGE:
            return _fault(400, "Limit exceeds maximum page size of 500.")
        return _library(fan, asked, world) if fan else as_json(200, {"data": [], "links": {}})
    return _fault(404, "Not found")


def _user(fan: Fan) -> dict[str, Any]:
    facts = {"name": fan.name, "slug": fan.name.casefold()}
    return {"id": str(fan.number), "type": "users", "attributes": facts}


def _library(fan: Fan, asked: Asked, world: World) -> Answer:
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
    entries = world.crowd.library(fan) if world.crowd else fan.entries
    shown = entries[start : start + size]
    links = {}
    if fan.fault is Fault.FOREIGN_NEXT:
        links["next"] = FOREIGN
    elif start + size < len(entries) or fan.fault is Fault.ENDLESS:
        query = urlencode({**asked.query, "page[offset]": start + size})
        links["next"] = f"http://{asked.headers['host']}{asked.path}?{query}"
    body = {
        "data": [_only_included(entry(listed), asked) for listed in shown],
        "included": [record for listed in shown for record in included(listed)],
        "meta": {"count": len(entries)},
        "links": links,
    }
    return as_json(200, damaged(fan.fault, body, "ratingTwenty"))


def entry(listed: Listed) -> dict[str, Any]:
    """A library listed."""
    own = str(listed.own_id)
    facts = {
        "status": _STATUSES.get(listed.status, listed.status),
        "progress": listed.progress,
        # Of twenty; some servers write it as text.
        "ratingTwenty": None if not listed.score else _twenty(listed),
        "reconsuming": listed.rewatching,
        "reconsumeCount": int(listed.rewatching),
        "startedAt": None,
        "finishedAt": "2024-05-06T07:08:09.000Z" if listed.status == "completed" else None,
        "updatedAt": "2025-01-02T03:04:05.678Z",
        "notes": "what only the fan should read",
    }
    links: dict[str, Any] = {
        "anime": {"data": {"type": "anime", "id": own}},
        "review": {"data": {"type": "reviews", "id": own} if listed.reviewed else None},
        "mediaReaction": {
            "data": {"type": "mediaReactions", "id": own} if listed.reacted else None
        },
    }
    if listed.kind is Kind.BARE:
        links["anime"] = {"data": None}
    if listed.kind is Kind.MANGA:
        links |= {"anime": {"data": None}, "manga": {"data": {"type": "manga", "id": own}}}
    return {"id": own, "type": "libraryEntries", "attributes": facts, "relationships": links}


def _only_included(record: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """Without links to what the request does not include: Kitsu leaves them out."""
    included = asked.query.get("include", "").split(",")
    for name in {"review", "mediaReaction"}.difference(included):
        record["relationships"].pop(name, None)
    return record


def _twenty(entry: Listed) -> int | str:
    twenty = round(entry.score * 2)
    return str(twenty) if entry.own_id % 5 == 0 else twenty


def included(listed: Listed) -> list[dict[str, Any]]:
    """The records that come along with an listed."""
    if listed.kind is not Kind.ANIME:
        return []
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
        "attributes": {
            "canonicalTitle": listed.title,
            "episodeCount": listed.episodes,
            "episodeLength": listed.minutes,
        },
        "relationships": {
            "mappings": {"data": [{"type": "mappings", "id": m["id"]} for m in mappings]}
        },
    }
    return [anime, *mappings]


def _fault(status: int, title: str, **headers: str) -> Answer:
    errors = [{"title": title, "detail": title, "code": str(status), "status": str(status)}]
    return as_json(status, {"errors": errors}, **headers)
