"""Favourites that did not come along with the users, asked for twenty users at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_build.collect.client import RequestFailed, RequestRejected
from model_build.collect.kitsu.api import (
    PAGE_SIZE,
    KitsuApi,
    linked_anime_id,
    parse_id,
    relationship_ids,
    sparse_fieldsets,
)
from model_build.collect.kitsu.users import KitsuUser


def add_favourites(
    site: KitsuApi, users: Sequence[KitsuUser], tally: Counter[str]
) -> list[KitsuUser]:
    """The users, each with favourites; where Kitsu does not give them there are none."""
    unknown = [user for user in users if user.favourites is None]
    found: dict[int, set[int]] = defaultdict(set)
    for start in range(0, len(unknown), PAGE_SIZE):
        _fetch_batch(site, unknown[start : start + PAGE_SIZE], found, tally)
    return [
        user
        if user.favourites is not None
        else replace(user, favourites=frozenset(found[user.kitsu_id]))
        for user in users
    ]


def _fetch_batch(
    site: KitsuApi, batch: Sequence[KitsuUser], found: dict[int, set[int]], tally: Counter[str]
) -> None:
    """All at once if Kitsu tells whose they are, else one user after the other."""
    try:
        if _request_favourites(site, batch, found):
            return
    except (RequestRejected, RequestFailed):
        if len(batch) == 1:
            tally["users whose favourites could not be read"] += 1
    if len(batch) > 1:
        for user in batch:
            _fetch_batch(site, [user], found, tally)


def _request_favourites(
    site: KitsuApi, batch: Sequence[KitsuUser], found: dict[int, set[int]]
) -> bool:
    """Add the favourites of some users; False if it is not said whose they are."""
    offset, more = 0, True
    seen: set[str] = set()
    while more:
        query = {
            "filter[userId]": ",".join(str(user.kitsu_id) for user in batch),
            "filter[itemType]": "Anime",
            "include": "item,user",
            **sparse_fieldsets("favorites"),
            "fields[anime]": "slug",
            "fields[users]": "createdAt",
            "page[limit]": str(PAGE_SIZE),
            "page[offset]": str(offset),
        }
        page = site.get_page(
            f"favourites/{batch[0].kitsu_id}-{len(batch)}-{offset}", "favorites", query
        )
        rows = [record for record in page["data"] if record["type"] == "favorites"]
        for record in rows:
            item, owner = (
                linked_anime_id(relationship_ids(record, "item")),
                _owner_id(record, batch),
            )
            if owner is None:
                return False
            if item is not None:
                found[owner].add(item)
        new = {record["id"] for record in rows} - seen
        seen |= new
        offset += len(rows)
        more = page["more"] and bool(new)
    return True


def _owner_id(record: Mapping[str, Any], batch: Sequence[KitsuUser]) -> int | None:
    if len(batch) == 1:
        return batch[0].kitsu_id
    links = relationship_ids(record, "user")
    return parse_id(links[0][1]) if links else None
