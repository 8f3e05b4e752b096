"""Users from random pages of all users, with Kitsu's counts of their activity and favourites.

The many accounts without any time spent and without ratings are left out and not counted.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import takewhile
from typing import Any

from app.lists.kitsu_schema import linked_records
from model_build.collect.client import RequestFailed, RequestRejected
from model_build.collect.kitsu.api import (
    PAGE_SIZE,
    KitsuApi,
    linked_anime_id,
    parse_id,
    sparse_fieldsets,
)
from model_build.util.errors import InputError

COUNT_ATTRIBUTES = {
    "comments": "commentsCount",
    "favorites": "favoritesCount",
    "likes_received": "likesReceivedCount",
    "likes_given": "likesGivenCount",
    "reviews": "reviewsCount",
    "posts": "postsCount",
    "ratings": "ratingsCount",
    "followers": "followersCount",
    "following": "followingCount",
    "reactions": "mediaReactionsCount",
    "life_spent_on_anime": "lifeSpentOnAnime",
}
"""Column -> Kitsu's attribute; the last is in minutes."""
MAX_COUNT = 2**31 - 1
SKIPPED_PAGE = {"given up": True}


@dataclass(frozen=True, slots=True)
class KitsuUser:
    """A user; ``counts`` by the names in `COUNT_ATTRIBUTES`.

    ``favourites`` are Kitsu's ids of anime, None while they are not known.
    """

    kitsu_id: int
    counts: dict[str, int]
    created: date | None
    favourites: frozenset[int] | None


def sample_kitsu_users(
    site: KitsuApi,
    n_users: int,
    tally: Counter[str],
    seed: int,
    on_progress: Callable[[int], object],
) -> list[KitsuUser]:
    """Return the first ``n_users`` active users on pages in random order; all if there are fewer.

    ``on_progress`` gets the number found so far.
    """
    order = _shuffled_pages(site, seed)
    found: dict[int, list[KitsuUser]] = {}
    ids: set[int] = set()

    def read(index: int) -> bool:
        try:
            found[index] = _read_users(site, order[index], tally)
        except RequestFailed:
            return False
        ids.update(user.kitsu_id for user in found[index])
        on_progress(min(len(ids), n_users))
        return True

    missing = takewhile(lambda _: len(ids) < n_users, range(len(order)))
    later = [index for index in missing if not read(index)]
    enough = len(ids) >= n_users
    for index in later:
        if not read(index):
            tally["user pages given up"] += 1
            if enough:  # so that the next run draws the same users
                site.cache.put(f"users/{order[index]}", SKIPPED_PAGE)
    drawn = [user for index in sorted(found) for user in found[index]]
    # Pages shift: a user on two of them is taken from the one drawn first.
    first = {user.kitsu_id: user for user in reversed(drawn)}
    tally["users seen again on a page that shifted"] += len(drawn) - len(first)
    return [user for user in drawn if first[user.kitsu_id] is user][:n_users]


def _shuffled_pages(site: KitsuApi, seed: int) -> list[int]:
    """Return all page numbers in random order; how many there were is stored at the first time."""
    stored = site.cache.get("users-count")
    if stored is None:
        try:
            count = _users_page(site, 0)["count"]
        except RequestFailed as error:
            raise InputError(
                f"Kitsu does not say how many users there are ({error}); try again later."
            ) from None
        if not isinstance(count, int) or count <= 0:
            raise InputError("Kitsu does not say how many users there are (meta.count).")
        stored = {"users": count}
        site.cache.put("users-count", stored)
    pages = list(range(-(-int(stored["users"]) // PAGE_SIZE)))
    random.Random(seed).shuffle(pages)  # noqa: S311 -- a sample, no secret
    return pages


def _users_page(site: KitsuApi, number: int) -> dict[str, Any]:
    query = {
        "sort": "id",
        **sparse_fieldsets("users"),
        "page[limit]": str(PAGE_SIZE),
        "page[offset]": str(PAGE_SIZE * number),
    }
    favourites = {
        "include": "favorites.item",
        **sparse_fieldsets("favorites"),
        # Only what they are is needed.
        "fields[anime]": "slug",
        "fields[manga]": "slug",
        "fields[characters]": "slug",
        "fields[people]": "name",
    }
    try:
        return site.get_page(f"users/{number}", "users", query | favourites, fallback_query=query)
    except RequestRejected as error:
        raise InputError(
            f"Kitsu refuses a page of users ({error}); see whether HAKKEN_KITSU_URL is right."
        ) from None


def _read_users(site: KitsuApi, number: int, tally: Counter[str]) -> list[KitsuUser]:
    page = _users_page(site, number)
    if page == SKIPPED_PAGE:
        tally["user pages given up"] += 1
        return []
    if not page["data"]:
        tally["user pages without users"] += 1
    return list(_parse_users(page, _favourite_anime_ids(page), tally))


def _parse_users(
    page: dict[str, Any], favourites: dict[str, int], tally: Counter[str]
) -> Iterator[KitsuUser]:
    for record in page["data"]:
        number = parse_id(record["id"])
        if record["type"] != "users" or number is None:
            tally["users that cannot be read"] += 1
            continue
        attributes = record["attributes"]
        counts = {
            column: parse_count(attributes.get(name)) for column, name in COUNT_ATTRIBUTES.items()
        }
        if not counts["life_spent_on_anime"] and not counts["ratings"]:
            tally["users with no time and no ratings"] += 1
            continue
        links = linked_records(record["relationships"], "favorites")
        own = None if counts["favorites"] else frozenset[int]()
        if links is not None:
            items = [favourites.get(link) for _, link in links]
            own = frozenset(item for item in items if item is not None)
        yield KitsuUser(number, counts, parse_date(attributes.get("createdAt")), own)


def _favourite_anime_ids(page: dict[str, Any]) -> dict[str, int]:
    """Kitsu's ids of the anime among the favourites, by the favourite's own id."""
    return {
        record["id"]: item
        for record in page["included"]
        if record["type"] == "favorites"
        and (item := linked_anime_id(linked_records(record["relationships"], "item"))) is not None
    }


def parse_count(value: object) -> int:
    """Parse a count into 31 bits; 0 where there is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return int(min(value, MAX_COUNT))


def parse_date(value: object) -> date | None:
    """Parse the day of one of Kitsu's timestamps; None where there is none."""
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        return None


def add_favourites(
    site: KitsuApi, users: Sequence[KitsuUser], tally: Counter[str]
) -> list[KitsuUser]:
    """Return the users with favourites, requested for twenty at once; none if Kitsu refuses."""
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
    """Request all at once if Kitsu says whose they are, else one user after the other."""
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
                linked_anime_id(linked_records(record["relationships"], "item")),
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
    links = linked_records(record["relationships"], "user")
    return parse_id(links[0][1]) if links else None
