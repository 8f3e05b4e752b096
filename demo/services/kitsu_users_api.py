"""What Kitsu says of many users at once: pages of them, with their counts and favourites."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from demo.http_server import FakeResponse, RecordedRequest, json_response
from demo.kitsu_users import DemoKitsuUser, KitsuUsers

PAGE_SIZE = 20
"""The most that Kitsu gives of anything but a library."""
PATHS = ("/users", "/favorites")


def fault_response(users: KitsuUsers) -> FakeResponse | None:
    """What goes wrong with this request, whatever it is."""
    users.request_count += 1
    limited, failing = users.fault_plan.rate_limited_every, users.fault_plan.failing_every
    if limited and users.request_count % limited == 0:
        return _error_response(429, "Rate Limit Exceeded", **{"Retry-After": "1"})
    if failing and users.request_count % failing == 0:
        return _error_response(500, "Internal Server Error")
    return None


def strict_response(request: RecordedRequest, users: KitsuUsers) -> FakeResponse | None:
    """What a strict server says of relationships that it does not know."""
    included = request.query.get("include", "").split(",")
    unknown = {"favorites.item", "review", "mediaReaction"}.intersection(included)
    return _error_response(400, "Invalid field") if users.strict and unknown else None


def respond(path: str, request: RecordedRequest, users: KitsuUsers) -> FakeResponse:
    """A page of users, or of the favourites of some."""
    return (
        _users_response(request, users)
        if path == "/users"
        else _favourites_response(request, users)
    )


def _users_response(request: RecordedRequest, users: KitsuUsers) -> FakeResponse:
    start, size = int(request.query["page[offset]"]), int(request.query["page[limit]"])
    if start in users.fault_plan.broken_offsets:
        return _error_response(500, "Internal Server Error")
    page_users = users.page(start, size)
    along = users.include_favourites and "favorites.item" in request.query.get("include", "")
    body = {
        "data": [_user_json(user, with_favourites=along) for user in page_users],
        "included": [
            record for user in page_users for record in (_included_json(user) if along else [])
        ],
        "meta": {} if users.strict else {"count": len(users)},
        "links": {
            **_page_links(request, start + size < len(users), start + size),
            "last": _page_url(request, (len(users) - 1) // size * size),
        },
    }
    return json_response(200, body)


def _user_json(user: DemoKitsuUser, *, with_favourites: bool) -> dict[str, Any]:
    facts = {
        # Nobody asks for the name, but some servers do not care.
        "name": user.user.name,
        "createdAt": f"20{10 + user.user.user_id % 15}-03-04T05:06:07.890Z",
        "lifeSpentOnAnime": user.minutes_watched,
        **{f"{name}Count": count for name, count in user.counts.items()},
    }
    favourites: dict[str, Any] = {"links": {"self": "..."}}
    if with_favourites:
        favourites["data"] = [
            {"type": "favorites", "id": _favourite_id(user, place)}
            for place in range(len(user.favourites))
        ]
    return {
        "id": str(user.user.user_id),
        "type": "users",
        "attributes": facts,
        "relationships": {"favorites": favourites},
    }


def _favourite_id(user: DemoKitsuUser, rank: int) -> str:
    return f"{user.user.user_id}{rank:03d}"


def _favourite_json(user: DemoKitsuUser, rank: int) -> dict[str, Any]:
    kind, number = user.favourites[rank]
    return {
        "id": _favourite_id(user, rank),
        "type": "favorites",
        "attributes": {"favRank": rank + 1},
        "relationships": {
            "item": {"data": {"type": kind, "id": str(number)}},
            "user": {"data": {"type": "users", "id": str(user.user.user_id)}},
        },
    }


def _included_json(user: DemoKitsuUser) -> list[dict[str, Any]]:
    """The favourites of a user and what they are."""
    favourites = [_favourite_json(user, place) for place in range(len(user.favourites))]
    items = [
        {"id": str(number), "type": kind, "attributes": {}} for kind, number in user.favourites
    ]
    return [*favourites, *items]


def _favourites_response(request: RecordedRequest, users: KitsuUsers) -> FakeResponse:
    wanted = request.query.get("filter[userId]", "").split(",")
    kind = request.query.get("filter[itemType]", "").lower()
    found = [
        _favourite_json(user, place)
        for number in wanted
        if (user := users.find_by_id(number))
        for place, (is_kind, _) in enumerate(user.favourites)
        if is_kind == kind
    ]
    if not users.include_owners:
        for record in found:
            del record["relationships"]["user"]
    start, size = int(request.query["page[offset]"]), int(request.query["page[limit]"])
    body = {
        "data": found[start : start + size],
        "meta": {"count": len(found)},
        "links": _page_links(request, start + size < len(found), start + size),
    }
    return json_response(200, body)


def _page_links(request: RecordedRequest, more: bool, start: int) -> dict[str, str]:
    if not more:
        return {}
    return {"next": _page_url(request, start)}


def _page_url(request: RecordedRequest, start: int) -> str:
    query = urlencode({**request.query, "page[offset]": start})
    return f"http://{request.headers['host']}{request.path}?{query}"


def _error_response(status: int, title: str, **headers: str) -> FakeResponse:
    return json_response(status, {"errors": [{"status": status, "title": title}]}, **headers)
