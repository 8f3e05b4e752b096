"""Kitsu's JSON:API."""

from __future__ import annotations

from typing import Any

from demo.data import DemoData, DemoEntry, DemoUser, EntryKind
from demo.faults import FOREIGN_URL, Fault, corrupt_fields, refusals
from demo.http_server import FakeResponse, RecordedRequest, json_response
from demo.services import kitsu_users_api
from demo.services.kitsu_users_api import error_response

PAGE_SIZE = 500
_STATUS_NAMES = {"watching": "current", "plan_to_watch": "planned"}
REFUSALS = refusals(
    private=error_response(403, "Forbidden"),
    limited=error_response(429, "Rate Limit Exceeded"),
    down=error_response(500, "Internal Server Error"),
)


def respond(path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer to a request for ``path``."""
    if request.headers.get("accept") != "application/vnd.api+json":
        return error_response(406, "Not acceptable")
    if data.kitsu_users:
        if refused := kitsu_users_api.refusal(request, data.kitsu_users):
            return refused
        if path in kitsu_users_api.PATHS and "page[offset]" in request.query:
            return kitsu_users_api.page(path, request, data.kitsu_users)
    if path == "/users":
        name = request.query.get("filter[name]") or request.query.get("filter[slug]") or ""
        return kitsu_users_api.named_user(data.find_by_name(name), request)
    if path == "/library-entries":
        fan = data.find_by_id(request.query.get("filter[userId]", ""))
        if int(request.query.get("page[limit]", "10")) > PAGE_SIZE:
            return error_response(400, f"Limit exceeds maximum page size of {PAGE_SIZE}.")
        if fan is None:
            return json_response(200, {"data": [], "links": {}})
        return _library_response(fan, request, data)
    return error_response(404, "Not found")


def _library_response(user: DemoUser, request: RecordedRequest, data: DemoData) -> FakeResponse:
    start = 0 if user.fault is Fault.ENDLESS else int(request.query.get("page[offset]", "0"))
    size = int(request.query.get("page[limit]", "10"))
    entries = data.kitsu_users.library_entries(user) if data.kitsu_users else user.entries
    shown = entries[start : start + size]
    links = {}
    if user.fault is Fault.FOREIGN_NEXT:
        links["next"] = FOREIGN_URL
    elif start + size < len(entries) or user.fault is Fault.ENDLESS:
        links["next"] = request.url_with(**{"page[offset]": start + size})
    body = {
        "data": [_drop_unrequested(entry_json(listed), request) for listed in shown],
        "included": [record for listed in shown for record in included_json(listed)],
        "meta": {"count": len(entries)},
        "links": links,
    }
    return json_response(200, corrupt_fields(user.fault, body, "ratingTwenty"))


def entry_json(listed: DemoEntry) -> dict[str, Any]:
    """A library listed."""
    own = str(listed.site_id)
    facts = {
        "status": _STATUS_NAMES.get(listed.status, listed.status),
        "progress": listed.progress,
        # Of twenty; some servers write it as text.
        "ratingTwenty": None if not listed.score else _rating_twenty(listed),
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
    if listed.kind is EntryKind.BARE:
        links["anime"] = {"data": None}
    if listed.kind is EntryKind.MANGA:
        links |= {"anime": {"data": None}, "manga": {"data": {"type": "manga", "id": own}}}
    return {"id": own, "type": "libraryEntries", "attributes": facts, "relationships": links}


def _drop_unrequested(record: dict[str, Any], request: RecordedRequest) -> dict[str, Any]:
    """Without links to what the request does not include: Kitsu leaves them out."""
    included = request.query.get("include", "").split(",")
    for name in {"review", "mediaReaction"}.difference(included):
        record["relationships"].pop(name, None)
    return record


def _rating_twenty(entry: DemoEntry) -> int | str:
    twenty = round(entry.score * 2)
    return str(twenty) if entry.site_id % 5 == 0 else twenty


def included_json(listed: DemoEntry) -> list[dict[str, Any]]:
    """The records that come along with an entry."""
    if listed.kind is not EntryKind.ANIME:
        return []
    own = str(listed.site_id)
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
