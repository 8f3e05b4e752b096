"""What Kitsu says of users, one by name or pages of them, and of their favourites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demo.data import DemoUser
from demo.http_server import FakeResponse, RecordedRequest, json_response
from demo.kitsu_users import DemoKitsuUser, KitsuUsers, favourite_anime

PAGE_SIZE = 20
"""The most that Kitsu gives of anything but a library."""
PATHS = ("/users", "/favorites")
MAX_FAVOURITES, FAVOURITE_SCORE = 8, 9
"""Of a user with a name; those of a crowd are as it says."""


def error_response(status: int, title: str, **headers: str) -> FakeResponse:
    """What Kitsu says instead."""
    error = {"title": title, "detail": title, "code": str(status), "status": str(status)}
    return json_response(status, {"errors": [error]}, **headers)


def refusal(request: RecordedRequest, users: KitsuUsers) -> FakeResponse | None:
    """What goes wrong with a request of those who collect, whatever it is."""
    users.request_count += 1
    limited, failing = users.fault_plan.rate_limited_every, users.fault_plan.failing_every
    if limited and users.request_count % limited == 0:
        return error_response(429, "Rate Limit Exceeded", **{"Retry-After": "1"})
    if failing and users.request_count % failing == 0:
        return error_response(500, "Internal Server Error")
    included = request.query.get("include", "").split(",")
    unknown = {"favorites.item", "review", "mediaReaction"}.intersection(included)
    return error_response(400, "Invalid field") if users.strict and unknown else None


def named_user(fan: DemoUser | None, request: RecordedRequest) -> FakeResponse:
    """Who a user is, or that nobody has that name."""
    if fan is None:
        return json_response(200, {"data": []})
    favourites = favourite_anime(fan.entries, FAVOURITE_SCORE, MAX_FAVOURITES)
    others = [("characters", 1)] if favourites else []
    user = DemoKitsuUser(fan, favourites=(*favourites, *others))
    return json_response(200, _users_body([user], _wants_favourites(request)))


def page(path: str, request: RecordedRequest, users: KitsuUsers) -> FakeResponse:
    """A page of users, or of the favourites of some."""
    start, size = int(request.query["page[offset]"]), int(request.query["page[limit]"])
    if size > PAGE_SIZE:
        return error_response(400, f"Limit exceeds maximum page size of {PAGE_SIZE}.")
    if path == "/users":
        if start in users.fault_plan.broken_offsets:
            return error_response(500, "Internal Server Error")
        along = users.include_favourites and _wants_favourites(request)
        body, count = _users_body(users.page(start, size), along), len(users)
        last = request.url_with(**{"page[offset]": (count - 1) // size * size})
        body |= {"meta": {} if users.strict else {"count": count}, "links": {"last": last}}
    else:
        found = _requested_favourites(request, users)
        count = len(found)
        body = {"data": found[start : start + size], "meta": {"count": count}, "links": {}}
    if start + size < count:
        body["links"]["next"] = request.url_with(**{"page[offset]": start + size})
    return json_response(200, body)


def _wants_favourites(request: RecordedRequest) -> bool:
    return "favorites.item" in request.query.get("include", "")


def _users_body(users: Sequence[DemoKitsuUser], with_favourites: bool) -> dict[str, Any]:
    return {
        "data": [_user_json(user, with_favourites) for user in users],
        "included": [
            record for user in users if with_favourites for record in _included_json(user)
        ],
    }


def _user_json(user: DemoKitsuUser, with_favourites: bool) -> dict[str, Any]:
    facts = {
        # Those who collect do not ask for the name, but some servers do not care.
        "name": user.user.name,
        "slug": user.user.name.casefold(),
        "createdAt": f"20{10 + user.user.user_id % 15}-03-04T05:06:07.890Z",
        "lifeSpentOnAnime": user.minutes_watched,
        **{f"{name}Count": count for name, count in user.counts.items()},
    }
    favourites: dict[str, Any] = {"links": {"self": "..."}}
    if with_favourites:
        favourites["data"] = [
            {"type": "favorites", "id": record["id"]} for record in _favourites_json(user)
        ]
    return {
        "id": str(user.user.user_id),
        "type": "users",
        "attributes": facts,
        "relationships": {"favorites": favourites},
    }


def _favourites_json(user: DemoKitsuUser) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{user.user.user_id}{rank:03d}",
            "type": "favorites",
            "attributes": {"favRank": rank + 1},
            "relationships": {
                "item": {"data": {"type": kind, "id": str(number)}},
                "user": {"data": {"type": "users", "id": str(user.user.user_id)}},
            },
        }
        for rank, (kind, number) in enumerate(user.favourites)
    ]


def _included_json(user: DemoKitsuUser) -> list[dict[str, Any]]:
    """The favourites of a user and what they are; as on Kitsu, in no order."""
    items = [
        {"id": str(number), "type": kind, "attributes": {}} for kind, number in user.favourites
    ]
    return [*items, *_favourites_json(user)[::-1]]


def _requested_favourites(request: RecordedRequest, users: KitsuUsers) -> list[dict[str, Any]]:
    kind = request.query.get("filter[itemType]", "").lower()
    found = [
        record
        for number in request.query.get("filter[userId]", "").split(",")
        if (user := users.find_by_id(number))
        for record in _favourites_json(user)
        if record["relationships"]["item"]["data"]["type"] == kind
    ]
    for record in found if not users.include_owners else ():
        del record["relationships"]["user"]
    return found
