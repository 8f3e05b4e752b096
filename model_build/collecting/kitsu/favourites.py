"""Favourites that did not come along with the users, asked for twenty users at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_build.collecting.asking import Refused, Unanswered
from model_build.collecting.kitsu.site import USERS_PAGE, Site, anime_id, fields_of, linked, to_id
from model_build.collecting.kitsu.users import User


def with_favourites(site: Site, users: Sequence[User], tally: Counter[str]) -> list[User]:
    """The users, each with favourites; where Kitsu does not give them there are none."""
    unknown = [user for user in users if user.favourites is None]
    found: dict[int, set[int]] = defaultdict(set)
    for start in range(0, len(unknown), USERS_PAGE):
        _ask_for(site, unknown[start : start + USERS_PAGE], found, tally)
    return [
        user
        if user.favourites is not None
        else replace(user, favourites=frozenset(found[user.kitsu_id]))
        for user in users
    ]


def _ask_for(
    site: Site, batch: Sequence[User], found: dict[int, set[int]], tally: Counter[str]
) -> None:
    """All at once if Kitsu tells whose they are, else one user after the other."""
    try:
        if _ask(site, batch, found):
            return
    except (Refused, Unanswered):
        if len(batch) == 1:
            tally["users whose favourites could not be read"] += 1
    if len(batch) > 1:
        for user in batch:
            _ask_for(site, [user], found, tally)


def _ask(site: Site, batch: Sequence[User], found: dict[int, set[int]]) -> bool:
    """Add the favourites of some users; False if it is not said whose they are."""
    offset, more = 0, True
    seen: set[str] = set()
    while more:
        query = {
            "filter[userId]": ",".join(str(user.kitsu_id) for user in batch),
            "filter[itemType]": "Anime",
            "include": "item,user",
            **fields_of("favorites"),
            "fields[anime]": "slug",
            "fields[users]": "createdAt",
            "page[limit]": str(USERS_PAGE),
            "page[offset]": str(offset),
        }
        page = site.page(
            f"favourites/{batch[0].kitsu_id}-{len(batch)}-{offset}", "favorites", query
        )
        rows = [record for record in page["data"] if record["type"] == "favorites"]
        for record in rows:
            item, owner = anime_id(linked(record, "item")), _owner(record, batch)
            if owner is None:
                return False
            if item is not None:
                found[owner].add(item)
        new = {record["id"] for record in rows} - seen
        seen |= new
        offset += len(rows)
        more = page["more"] and bool(new)
    return True


def _owner(record: Mapping[str, Any], batch: Sequence[User]) -> int | None:
    if len(batch) == 1:
        return batch[0].kitsu_id
    links = linked(record, "user")
    return to_id(links[0][1]) if links else None
