"""What Kitsu says of a fan's favourites: here, what got the highest scores."""

from __future__ import annotations

from typing import Any

from demo.data import DemoEntry, DemoUser
from demo.http_server import RecordedRequest

MAX_FAVOURITES = 8
FAVOURITE_SCORE = 9


def favourite_entries(user: DemoUser) -> list[DemoEntry]:
    """The favourites, the dearest first."""
    loved = [listed for listed in user.entries if listed.score >= FAVOURITE_SCORE]
    return sorted(loved, key=lambda listed: (-listed.score, listed.site_id))[:MAX_FAVOURITES]


def add_favourites(
    body: dict[str, Any], user: DemoUser, request: RecordedRequest
) -> dict[str, Any]:
    """The answer to who a fan is, with favourites along if they were asked for."""
    if "favorites.item" not in request.query.get("include", ""):
        return body
    items = [("anime", str(listed.site_id)) for listed in favourite_entries(user)]
    if items:
        items.append(("characters", "1"))
    records = [
        {
            "id": f"{user.user_id}{place:03d}",
            "type": "favorites",
            "attributes": {"favRank": place + 1},
            "relationships": {"item": {"data": {"type": kind, "id": number}}},
        }
        for place, (kind, number) in enumerate(items)
    ]
    links = {"data": [{"type": "favorites", "id": record["id"]} for record in records]}
    who = {**body["data"][0], "relationships": {"favorites": links}}
    things = [{"id": number, "type": kind, "attributes": {}} for kind, number in items]
    # As on Kitsu, in no order.
    return {"data": [who], "included": [*things, *records[::-1]]}
