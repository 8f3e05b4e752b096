"""AniList's GraphQL service, as far as Hakken asks it."""

from __future__ import annotations

from typing import Any

from demo.faults import RETRY_AFTER, Fault, damaged
from demo.wire import Answer, Asked, as_json
from demo.world import Fan, Listed, World

CHUNKED = "ChunkedFan"  # 1,200 titles, which come in chunks of 500 only
CUSTOM = "CustomFan"  # custom lists with repeats and entries hidden from the status lists
ERROR_200 = "PoliteErrorFan"  # GraphQL errors with HTTP 200
CHUNK = 500

_STATUSES = {
    "watching": "CURRENT",
    "completed": "COMPLETED",
    "on_hold": "PAUSED",
    "dropped": "DROPPED",
    "plan_to_watch": "PLANNING",
}


def answer(_path: str, asked: Asked, world: World) -> Answer:
    """The answer to a request; everything is at one address."""
    if asked.method != "POST":
        return _fault(404, "Use POST request to access graphql subdomain.")
    if "referer" not in asked.headers:
        return _disabled()
    if asked.headers.get("content-type") != "application/json" or asked.body is None:
        return _fault(400, "Syntax Error")
    variables, query = asked.body["variables"], asked.body["query"]
    if "ids" in variables:
        return _media(variables["ids"], world)
    fan = world.named(str(variables["name"]))
    if fan is None:
        return _fault(404, "User not found")
    if fan.name == CUSTOM:
        return _collection(fan.name, _custom_groups())
    if fan.name == ERROR_200:
        return as_json(200, {"errors": [{"message": "Boom"}], "data": None})
    return _refused(fan.fault) or _list(fan, query, variables)


def _refused(fault: Fault | None) -> Answer | None:
    return {
        Fault.PRIVATE: _fault(404, "Private User"),
        Fault.LIMITED: _fault(429, "Too Many Requests.", **RETRY_AFTER),
        Fault.LIMITED_SILENTLY: _fault(429, "Too Many Requests."),
        Fault.DOWN: _fault(500, "Internal Server Error"),
        Fault.REFUSED: _disabled(),
        Fault.NO_LISTS: as_json(200, {"data": {"MediaListCollection": {"user": None}}}),
    }.get(fault or Fault.FLAKY)


def _list(fan: Fan, query: str, variables: dict[str, Any]) -> Answer:
    entries = [entry_of(entry) for entry in fan.entries]
    if "format: POINT_10_DECIMAL" not in query:  # then the user's own scale comes back
        entries = [{**item, "score": item["score"] * 10} for item in entries]
    chunk, size = variables.get("chunk"), min(variables.get("perChunk") or CHUNK, CHUNK)
    if fan.name == CHUNKED and chunk is None:
        chunk = 1
    more = (chunk is not None and chunk * size < len(entries)) or fan.fault is Fault.ENDLESS
    if chunk is not None and fan.fault is not Fault.ENDLESS:
        entries = entries[(chunk - 1) * size : chunk * size]
    groups = [group("Completed", entries)] if entries else []
    return _collection(fan.name, groups, more=more, fault=fan.fault)


def entry_of(entry: Listed) -> dict[str, Any]:
    """A list entry as AniList writes it."""
    names = {"userPreferred": entry.title, "romaji": entry.title, "english": None}
    status = _STATUSES.get(entry.status, entry.status)
    return {
        "status": "REPEATING" if entry.rewatching else status,
        "score": entry.score,
        "media": {"id": entry.own_id, "idMal": entry.anime_id, "title": names},
    }


def group(name: str, entries: list[dict[str, Any]], *, custom: bool = False) -> dict[str, Any]:
    """One of the lists of a user."""
    return {"name": name, "isCustomList": custom, "entries": entries}


def _media(ids: list[int], world: World) -> Answer:
    if len(ids) > 50:
        return _fault(400, "Too many ids")
    media = [
        {
            "id": number,
            "idMal": number,
            "description": world.synopses[number],
            "coverImage": {"large": f"https://s4.anilist.co/file/{number}.jpg"},
        }
        for number in ids
        if number in world.synopses
    ]
    return as_json(200, {"data": {"Page": {"media": media}}})


def _collection(
    name: str, groups: list[dict[str, Any]], *, more: bool = False, fault: Fault | None = None
) -> Answer:
    user = {"id": 1, "name": name, "mediaListOptions": {"scoreFormat": "POINT_100"}}
    collection = {"hasNextChunk": more, "user": user, "lists": groups}
    return as_json(200, damaged(fault, {"data": {"MediaListCollection": collection}}, "score"))


def _fault(status: int, message: str, **headers: str) -> Answer:
    errors = [{"message": message, "status": status, "locations": [{"line": 2, "column": 3}]}]
    return as_json(status, {"errors": errors, "data": {"MediaListCollection": None}}, **headers)


def _disabled() -> Answer:
    return _fault(
        403, "The AniList API has been temporarily disabled due to severe stability issues."
    )


def _custom_groups() -> list[dict[str, Any]]:
    seen = entry_of(Listed(100, 9.5, media_id=10))
    hidden = entry_of(Listed(200, 3, "dropped", media_id=20))
    return [
        group("Completed", [seen, entry_of(Listed(101, media_id=11))]),
        group("Favourites", [seen, hidden], custom=True),
        group("Watching", [entry_of(Listed(300, status="watching", media_id=30))]),
    ]
