"""Users drawn from random pages of all users, with what Kitsu counts of them and their favourites.

Accounts without any time spent and without ratings, of which there are many, are left out, and do
not count among those who were wanted.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from model_build.collecting.asking import Refused, Unanswered
from model_build.collecting.kitsu.site import USERS_PAGE, Site, anime_id, fields_of, linked, to_id
from model_build.errors import InputError

COUNTS = {
    "comments": "commentsCount",
    "favorites": "favoritesCount",
    "likes_received": "likesReceivedCount",
    "likes_given": "likesGivenCount",
    "reviews": "reviewsCount",
    "posts": "postsCount",
    "ratings": "ratingsCount",
    "followers": "followersCount",
    "life_spent_on_anime": "lifeSpentOnAnime",
}
"""Our column -> Kitsu's attribute; the last is in minutes."""
HIGHEST = 2**31 - 1
GIVEN_UP = {"given up": True}


@dataclass(frozen=True, slots=True)
class User:
    """A user of Kitsu's number ``kitsu_id``; ``counts`` by the names in `COUNTS`.

    ``favourites`` are Kitsu's ids of anime, None while they are not known.
    """

    kitsu_id: int
    counts: dict[str, int]
    created: date | None
    favourites: frozenset[int] | None


def draw_users(
    site: Site, wanted: int, tally: Counter[str], seed: int, step: Callable[[int], object]
) -> list[User]:
    """The first ``wanted`` active users on pages in random order; fewer if there are no more.

    ``step`` is told how many have been found so far.

    Raises:
        InputError: Kitsu does not say how many users there are, or refuses a page.
    """
    order = _pages(site, seed)
    found: dict[int, list[User]] = {}
    ids: set[int] = set()
    later: list[int] = []

    def read(place: int) -> None:
        found[place] = _read_page(site, order[place], tally)
        ids.update(user.kitsu_id for user in found[place])
        step(min(len(ids), wanted))

    for place in range(len(order)):
        if len(ids) >= wanted:
            break
        try:
            read(place)
        except Unanswered:
            later.append(place)
    enough = len(ids) >= wanted
    for place in later:
        try:
            read(place)
        except Unanswered:
            tally["user pages given up"] += 1
            if enough:  # so that the next run draws the same users
                site.answers.keep(f"users/{order[place]}", GIVEN_UP)
    drawn = [user for place in sorted(found) for user in found[place]]
    # A user who stands on two pages, because pages shifted, is taken from the one drawn first.
    first = {user.kitsu_id: user for user in reversed(drawn)}
    tally["users seen again on a page that shifted"] += len(drawn) - len(first)
    return [user for user in drawn if first[user.kitsu_id] is user][:wanted]


def _pages(site: Site, seed: int) -> list[int]:
    """The numbers of all pages in random order; how many there were is kept with the answers."""
    kept = site.answers.get("users-count")
    if kept is None:
        try:
            count = _page(site, 0)["count"]
        except Unanswered as error:
            raise InputError(
                f"Kitsu does not say how many users there are ({error}); try again later."
            ) from None
        if not isinstance(count, int) or count <= 0:
            raise InputError("Kitsu does not say how many users there are (meta.count).")
        kept = {"users": count}
        site.answers.keep("users-count", kept)
    pages = list(range(-(-int(kept["users"]) // USERS_PAGE)))
    random.Random(seed).shuffle(pages)  # noqa: S311 -- a sample, no secret
    return pages


def _page(site: Site, number: int) -> dict[str, Any]:
    query = {
        "sort": "id",
        **fields_of("users"),
        "page[limit]": str(USERS_PAGE),
        "page[offset]": str(USERS_PAGE * number),
    }
    along = {
        "include": "favorites.item",
        **fields_of("favorites"),
        # Of the favourites themselves nothing is wanted but what they are.
        "fields[anime]": "slug",
        "fields[manga]": "slug",
        "fields[characters]": "slug",
        "fields[people]": "name",
    }
    try:
        return site.page(f"users/{number}", "users", query | along, plainly=query)
    except Refused as error:
        raise InputError(
            f"Kitsu refuses a page of users ({error}); see whether HAKKEN_KITSU_URL is right."
        ) from None


def _read_page(site: Site, number: int, tally: Counter[str]) -> list[User]:
    page = _page(site, number)
    if page == GIVEN_UP:
        tally["user pages given up"] += 1
        return []
    if not page["data"]:
        tally["user pages without users"] += 1
    return list(_users(page, _favourites(page), tally))


def _users(page: dict[str, Any], favourites: dict[str, int], tally: Counter[str]) -> Iterator[User]:
    for record in page["data"]:
        number = to_id(record["id"])
        if record["type"] != "users" or number is None:
            tally["users that cannot be read"] += 1
            continue
        attributes = record["attributes"]
        counts = {name: to_count(attributes.get(theirs)) for name, theirs in COUNTS.items()}
        if not counts["life_spent_on_anime"] and not counts["ratings"]:
            tally["users with no time and no ratings"] += 1
            continue
        links = linked(record, "favorites")
        own = None if counts["favorites"] else frozenset[int]()
        if links is not None:
            items = [favourites.get(link) for _, link in links]
            own = frozenset(item for item in items if item is not None)
        yield User(number, counts, to_date(attributes.get("createdAt")), own)


def _favourites(page: dict[str, Any]) -> dict[str, int]:
    """Kitsu's ids of the anime among the favourites, by the favourite's own id."""
    return {
        record["id"]: item
        for record in page["included"]
        if record["type"] == "favorites" and (item := anime_id(linked(record, "item"))) is not None
    }


def to_count(value: object) -> int:
    """A count as a number that fits 31 bits, 0 where there is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return int(min(value, HIGHEST))


def to_date(value: object) -> date | None:
    """The day of a moment as Kitsu writes it, None where there is none."""
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        return None
