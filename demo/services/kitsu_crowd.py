"""What Kitsu says of many users at once: pages of them, with their counts and favourites."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from demo.crowd import Crowd, Member
from demo.wire import Answer, Asked, as_json

PAGE = 20
"""The most that Kitsu gives of anything but a library."""
PATHS = ("/users", "/favorites")


def trouble(crowd: Crowd) -> Answer | None:
    """What goes wrong with this request, whatever it is."""
    crowd.asked += 1
    limited, failing = crowd.trouble.limited, crowd.trouble.failing
    if limited and crowd.asked % limited == 0:
        return _fault(429, "Rate Limit Exceeded", **{"Retry-After": "1"})
    if failing and crowd.asked % failing == 0:
        return _fault(500, "Internal Server Error")
    return None


def refusal(asked: Asked, crowd: Crowd) -> Answer | None:
    """What a strict server says of relationships that it does not know."""
    included = asked.query.get("include", "").split(",")
    unknown = {"favorites.item", "review", "mediaReaction"}.intersection(included)
    return _fault(400, "Invalid field") if crowd.strict and unknown else None


def answer(path: str, asked: Asked, crowd: Crowd) -> Answer:
    """A page of users, or of the favourites of some."""
    return _users(asked, crowd) if path == "/users" else _favourites(asked, crowd)


def _users(asked: Asked, crowd: Crowd) -> Answer:
    start, size = int(asked.query["page[offset]"]), int(asked.query["page[limit]"])
    if start in crowd.trouble.broken:
        return _fault(500, "Internal Server Error")
    members = crowd.page(start, size)
    along = crowd.favourites_along and "favorites.item" in asked.query.get("include", "")
    body = {
        "data": [_user(member, along=along) for member in members],
        "included": [
            record for member in members for record in (_included(member) if along else [])
        ],
        "meta": {} if crowd.strict else {"count": len(crowd)},
        "links": {
            **_links(asked, start + size < len(crowd), start + size),
            "last": _address(asked, (len(crowd) - 1) // size * size),
        },
    }
    return as_json(200, body)


def _user(member: Member, *, along: bool) -> dict[str, Any]:
    facts = {
        # Nobody asks for the name, but some servers do not care.
        "name": member.fan.name,
        "createdAt": f"20{10 + member.fan.number % 15}-03-04T05:06:07.890Z",
        "lifeSpentOnAnime": member.minutes,
        **{f"{name}Count": count for name, count in member.counts.items()},
    }
    favourites: dict[str, Any] = {"links": {"self": "..."}}
    if along:
        favourites["data"] = [
            {"type": "favorites", "id": _favourite_id(member, place)}
            for place in range(len(member.favourites))
        ]
    return {
        "id": str(member.fan.number),
        "type": "users",
        "attributes": facts,
        "relationships": {"favorites": favourites},
    }


def _favourite_id(member: Member, place: int) -> str:
    return f"{member.fan.number}{place:03d}"


def _favourite(member: Member, place: int) -> dict[str, Any]:
    kind, number = member.favourites[place]
    return {
        "id": _favourite_id(member, place),
        "type": "favorites",
        "attributes": {"favRank": place + 1},
        "relationships": {
            "item": {"data": {"type": kind, "id": str(number)}},
            "user": {"data": {"type": "users", "id": str(member.fan.number)}},
        },
    }


def _included(member: Member) -> list[dict[str, Any]]:
    """The favourites of a user and what they are."""
    favourites = [_favourite(member, place) for place in range(len(member.favourites))]
    items = [
        {"id": str(number), "type": kind, "attributes": {}} for kind, number in member.favourites
    ]
    return [*favourites, *items]


def _favourites(asked: Asked, crowd: Crowd) -> Answer:
    wanted = asked.query.get("filter[userId]", "").split(",")
    kind = asked.query.get("filter[itemType]", "").lower()
    found = [
        _favourite(member, place)
        for number in wanted
        if (member := crowd.numbered(number))
        for place, (is_kind, _) in enumerate(member.favourites)
        if is_kind == kind
    ]
    if not crowd.owners_told:
        for record in found:
            del record["relationships"]["user"]
    start, size = int(asked.query["page[offset]"]), int(asked.query["page[limit]"])
    body = {
        "data": found[start : start + size],
        "meta": {"count": len(found)},
        "links": _links(asked, start + size < len(found), start + size),
    }
    return as_json(200, body)


def _links(asked: Asked, more: bool, start: int) -> dict[str, str]:
    if not more:
        return {}
    return {"next": _address(asked, start)}


def _address(asked: Asked, start: int) -> str:
    query = urlencode({**asked.query, "page[offset]": start})
    return f"http://{asked.headers['host']}{asked.path}?{query}"


def _fault(status: int, title: str, **headers: str) -> Answer:
    return as_json(status, {"errors": [{"status": status, "title": title}]}, **headers)
