"""What Kitsu says of a fan's favourites: here, what got the highest scores."""

from __future__ import annotations

from typing import Any

from demo.wire import Asked
from demo.world import Fan, Listed

MOST = 8
LOVED = 9


def favourites_of(fan: Fan) -> list[Listed]:
    """The favourites, the dearest first."""
    loved = [listed for listed in fan.entries if listed.score >= LOVED]
    return sorted(loved, key=lambda listed: (-listed.score, listed.own_id))[:MOST]


def with_favourites(body: dict[str, Any], fan: Fan, asked: Asked) -> dict[str, Any]:
    """The answer to who a fan is, with favourites along if they were asked for."""
    if "favorites.item" not in asked.query.get("include", ""):
        return body
    items = [("anime", str(listed.own_id)) for listed in favourites_of(fan)]
    if items:
        items.append(("characters", "1"))
    records = [
        {
            "id": f"{fan.number}{place:03d}",
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
