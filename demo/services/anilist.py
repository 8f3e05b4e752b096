"""AniList's GraphQL service, as far as Hakken asks it."""

from __future__ import annotations

from typing import Any

from demo.data import DemoData, DemoEntry, DemoUser
from demo.faults import Fault, corrupt_fields, refusals
from demo.http_server import FakeResponse, RecordedRequest, json_response

CHUNKED_USER = "ChunkedFan"  # 1,200 titles, which come in chunks of 500 only
# Custom lists with repeats and entries hidden from the status lists.
CUSTOM_LISTS_USER = "CustomFan"
ERROR_200_USER = "PoliteErrorFan"  # GraphQL errors with HTTP 200
CHUNK_SIZE = 500
MAX_MEDIA = 50
COVERS = "https://s4.anilist.co/file/anilistcdn/media/anime/cover"

_STATUS_NAMES = {
    "watching": "CURRENT",
    "completed": "COMPLETED",
    "on_hold": "PAUSED",
    "dropped": "DROPPED",
    "plan_to_watch": "PLANNING",
}


def _error_response(status: int, message: str) -> FakeResponse:
    errors = [{"message": message, "status": status, "locations": [{"line": 2, "column": 3}]}]
    return json_response(status, {"errors": errors, "data": {"MediaListCollection": None}})


DISABLED = _error_response(
    403, "The AniList API has been temporarily disabled due to severe stability issues."
)
REFUSALS = {
    **refusals(
        private=_error_response(404, "Private User"),
        limited=_error_response(429, "Too Many Requests."),
        down=_error_response(500, "Internal Server Error"),
    ),
    Fault.REFUSED: DISABLED,
    Fault.NO_LISTS: json_response(200, {"data": {"MediaListCollection": {"user": None}}}),
}


def respond(_path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer to a request; everything is at one address."""
    if request.method != "POST":
        return _error_response(404, "Use POST request to access graphql subdomain.")
    if "referer" not in request.headers:
        return DISABLED
    if request.headers.get("content-type") != "application/json" or request.body is None:
        return _error_response(400, "Syntax Error")
    variables, query = request.body["variables"], request.body["query"]
    if "authorization" in request.headers:
        own = _own_response(request, query, variables, data)
        if own:
            return own
    if "ids" in variables:
        return _details_response(variables["ids"], data)
    fan = data.find_by_name(str(variables["name"]))
    if fan is None:
        return _error_response(404, "User not found")
    if fan.name == CUSTOM_LISTS_USER:
        return _collection_response(fan.name, _custom_list_groups())
    if fan.name == ERROR_200_USER:
        return json_response(200, {"errors": [{"message": "Boom"}], "data": None})
    return _list_response(fan, query, variables)


def _own_response(
    request: RecordedRequest, query: str, variables: dict[str, Any], data: DemoData
) -> FakeResponse | None:
    """What only the fan is told, or may change; None for what all may ask."""
    owner = data.owner_of(request.headers["authorization"])
    if owner is None:
        return _error_response(400, "Invalid token")
    if "name" in variables:
        return None
    if "Viewer" in query:
        return json_response(200, {"data": {"Viewer": {"name": owner.name}}})
    number = int(variables["id"])
    anime_id = data.mal_ids.get(number, number)
    if anime_id not in data.synopses:
        return _error_response(404, "Not Found.")
    if "SaveMediaListEntry" in query:
        data.plan(owner, DemoEntry(anime_id, status="plan_to_watch", media_id=number))
        return json_response(200, {"data": {"SaveMediaListEntry": {"status": "PLANNING"}}})
    listed = [entry_json(each) for each in owner.entries if each.site_id == number]
    entry = {"status": listed[0]["status"]} if listed else None
    return json_response(200, {"data": {"Media": {"id": number, "mediaListEntry": entry}}})


def _list_response(user: DemoUser, query: str, variables: dict[str, Any]) -> FakeResponse:
    entries = [entry_json(entry) for entry in user.entries]
    if "format: POINT_10_DECIMAL" not in query:  # then the user's own scale comes back
        entries = [{**item, "score": item["score"] * 10} for item in entries]
    chunk, size = variables.get("chunk"), min(variables.get("perChunk") or CHUNK_SIZE, CHUNK_SIZE)
    if user.name == CHUNKED_USER and chunk is None:
        chunk = 1
    more = (chunk is not None and chunk * size < len(entries)) or user.fault is Fault.ENDLESS
    if chunk is not None and user.fault is not Fault.ENDLESS:
        entries = entries[(chunk - 1) * size : chunk * size]
    groups = [group_json("Completed", entries)] if entries else []
    return _collection_response(user.name, groups, more=more, fault=user.fault)


def entry_json(entry: DemoEntry) -> dict[str, Any]:
    """A list entry as AniList writes it."""
    names = {"userPreferred": entry.title, "romaji": entry.title, "english": None}
    status = _STATUS_NAMES.get(entry.status, entry.status)
    return {
        "status": "REPEATING" if entry.rewatching else status,
        "score": entry.score,
        "media": {"id": entry.site_id, "idMal": entry.anime_id, "title": names},
    }


def group_json(name: str, entries: list[dict[str, Any]], *, custom: bool = False) -> dict[str, Any]:
    """One of the lists of a user."""
    return {"name": name, "isCustomList": custom, "entries": entries}


def _details_response(ids: list[int], data: DemoData) -> FakeResponse:
    if len(ids) > MAX_MEDIA:
        return _error_response(400, "Too many ids")
    media = [_media_json(number, data) for number in ids if number in data.synopses]
    return json_response(200, {"data": {"Page": {"media": media}}})


def _media_json(number: int, data: DemoData) -> dict[str, Any]:
    return {
        "id": number,
        "idMal": number,
        "description": data.synopses[number],
        "coverImage": {
            "extraLarge": f"{COVERS}/large/bx{number}-demo.jpg",
            "large": f"https://s4.anilist.co/file/{number}.jpg",
        },
        "trailer": {"id": f"demo{number}", "site": "youtube"},
        "externalLinks": [
            _link_json("Crunchyroll", f"https://www.crunchyroll.com/series/{number}"),
            _link_json("Netflix", f"https://www.netflix.com/title/{number}"),
            _link_json("Official Site", f"https://example.com/{number}", kind="INFO"),
            _link_json("Gone", f"https://example.com/gone/{number}", disabled=True),
        ],
        "relations": {
            "edges": [
                {"relationType": kind, "node": {"idMal": other, "type": "ANIME"}}
                for kind, other in data.relations.get(number, ())
            ]
        },
    }


def _link_json(
    site: str, url: str, *, kind: str = "STREAMING", disabled: bool = False
) -> dict[str, Any]:
    return {"site": site, "url": url, "type": kind, "isDisabled": disabled}


def _collection_response(
    name: str, groups: list[dict[str, Any]], *, more: bool = False, fault: Fault | None = None
) -> FakeResponse:
    user = {"id": 1, "name": name, "mediaListOptions": {"scoreFormat": "POINT_100"}}
    collection = {"hasNextChunk": more, "user": user, "lists": groups}
    return json_response(
        200, corrupt_fields(fault, {"data": {"MediaListCollection": collection}}, "score")
    )


def _custom_list_groups() -> list[dict[str, Any]]:
    seen = entry_json(DemoEntry(100, 9.5, media_id=10))
    hidden = entry_json(DemoEntry(200, 3, "dropped", media_id=20))
    return [
        group_json("Completed", [seen, entry_json(DemoEntry(101, media_id=11))]),
        group_json("Favourites", [seen, hidden], custom=True),
        group_json("Watching", [entry_json(DemoEntry(300, status="watching", media_id=30))]),
    ]
