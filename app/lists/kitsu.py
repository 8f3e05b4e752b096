"""Kitsu: first who the user is, then the library page by page, with MyAnimeList's ids beside it.

Kitsu shows strangers neither private entries nor those it marks as not safe for work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, TypeAdapter

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import EmptyList, NotFoundOrPrivate, PrivateList, UnknownUser
from app.lists.http_client import HttpResponse
from app.lists.kitsu_favourites import FAVOURITES_QUERY, favourite_anime_ids
from app.lists.kitsu_schema import (
    JsonApiErrors,
    KitsuUserRecord,
    LibraryEntry,
    LibraryPage,
    UsersResponse,
    index_included,
)
from app.lists.normalize import normalize_score, normalize_title
from app.lists.payload import try_parse_payload
from app.lists.reader import ListRead, ListReader
from app.lists.usernames import UsernameRule
from app.recommender.watch_status import WatchStatus

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T", bound=BaseModel)

SLUG: Final = "kitsu"
NAME: Final = "Kitsu"
BASE_URL: Final = "https://kitsu.app/api/edge"
PAGE_SIZE: Final = 500  # the most that Kitsu gives of a library at once
USERNAME_RULE: Final = UsernameRule(
    source=NAME,
    # A comma would ask for several users at once.
    username_pattern=re.compile(r"[\w .\-]{1,40}"),
    description="names there are letters, digits, spaces and . - _",
    profile_hosts=("kitsu.app", "kitsu.io"),
    profile_path="users/",
)
_HEADERS = {"Accept": "application/vnd.api+json"}
STATUS_MAP: Final[Mapping[str | None, WatchStatus]] = {
    "current": WatchStatus.WATCHING,
    "completed": WatchStatus.COMPLETED,
    "on_hold": WatchStatus.ON_HOLD,
    "dropped": WatchStatus.DROPPED,
    "planned": WatchStatus.PLAN_TO_WATCH,
}


_USERS_ADAPTER: Final = TypeAdapter(UsersResponse)
_PAGE_ADAPTER: Final = TypeAdapter(LibraryPage)
_ERRORS_ADAPTER: Final = TypeAdapter(JsonApiErrors)


@dataclass(frozen=True, kw_only=True)
class KitsuReader(ListReader):
    """Lists on Kitsu, in Kitsu's spelling of the name.

    ``kitsu_to_mal`` stands in where Kitsu does not know MyAnimeList's id; what neither knows is
    counted in ``unmapped``.
    """

    username_rule = USERNAME_RULE
    base_url: str = BASE_URL
    kitsu_to_mal: Mapping[int, int]

    def _read(self, reading: ListRead[LibraryEntry]) -> AnimeList:
        reading.report()
        user, favourites = self._find_user(reading)
        mal_ids: dict[str, int] = {}
        titles: dict[str, str | None] = {}
        query = _library_query(user.id if user else reading.username)
        while True:
            reply = reading.get_page(f"{self.base_url}/library-entries", query, _HEADERS)
            page = _parse_response(reading, _PAGE_ADAPTER, reply)
            grew = reading.add(
                {
                    anime.id: entry
                    for entry in page.data
                    if (anime := entry.relationships.anime.data)
                }
            )
            index_included(page.included, mal_ids, titles)
            if page.links.next is None or not grew:
                break
            query |= reading.next_query(page.links.next, BASE_URL, "links.next")
        if not reading.rows and not favourites:
            raise reading.error(EmptyList if user else NotFoundOrPrivate)
        spelt = (user.attributes.name if user else None) or reading.username
        return _to_anime_list(spelt, reading.rows, favourites, mal_ids, titles, self.kitsu_to_mal)

    def _find_user(
        self, reading: ListRead[LibraryEntry]
    ) -> tuple[KitsuUserRecord | None, list[str]]:
        """Find the user by name, by slug or (None) by number; and the user's favourites."""
        name, url = reading.username, f"{self.base_url}/users"
        for kind in ("name", "slug"):
            who = {f"filter[{kind}]": name}
            reply = reading.send("GET", url, params={**who, **FAVOURITES_QUERY}, headers=_HEADERS)
            if reply.status == HTTPStatus.BAD_REQUEST:  # it gives no favourites along
                bare = {**who, "fields[users]": "name,slug"}
                reply = reading.send("GET", url, params=bare, headers=_HEADERS)
            found = _parse_response(reading, _USERS_ADAPTER, reply)
            # Several may share a name but for its case; the exact one is meant, if there is one.
            users = sorted(found.data, key=lambda user: user.attributes.name != name)
            if users:
                return users[0], favourite_anime_ids(users[0], found.included)
        if name.isascii() and name.isdigit():
            return None, []
        raise reading.error(UnknownUser)


def _library_query(user_id: str) -> dict[str, str]:
    return {
        "filter[userId]": user_id,
        "filter[kind]": "anime",
        "include": "anime,anime.mappings",
        "fields[libraryEntries]": "status,ratingTwenty,reconsuming,anime",
        "fields[anime]": "canonicalTitle,mappings",
        "fields[mappings]": "externalSite,externalId",
        "page[limit]": str(PAGE_SIZE),
        "page[offset]": "0",
    }


def _to_anime_list(
    username: str,
    found: Mapping[str, LibraryEntry],
    favourites: Iterable[str],
    mal_ids: Mapping[str, int],
    titles: Mapping[str, str | None],
    kitsu_to_mal: Mapping[int, int],
) -> AnimeList:
    entries: dict[int, ListEntry] = {}
    unmapped = 0

    def on_mal(kitsu_id: str) -> int | None:
        known = kitsu_to_mal.get(int(kitsu_id)) if kitsu_id.isdigit() else None
        return mal_ids.get(kitsu_id) or known

    for kitsu_id, entry in found.items():
        anime_id = on_mal(kitsu_id)
        if anime_id is None:
            unmapped += 1
            continue
        attributes = entry.attributes
        # Who watches again has seen it.
        status = (
            WatchStatus.COMPLETED
            if attributes.reconsuming
            else STATUS_MAP.get(attributes.status, WatchStatus.UNKNOWN)
        )
        score = normalize_score(attributes.rating / 2 if attributes.rating is not None else None)
        read = ListEntry(anime_id, status, score, normalize_title(titles.get(kitsu_id)))
        # Kitsu splits some titles that MyAnimeList keeps as one: the scored half speaks.
        other = entries.get(anime_id)
        if other is None or (other.score is None and score is not None):
            entries[anime_id] = read
    favourite_ids = dict.fromkeys(mal_id for each in favourites if (mal_id := on_mal(each)))
    for anime_id in favourite_ids:
        # Not in the library, but surely seen.
        entries.setdefault(anime_id, ListEntry(anime_id, WatchStatus.UNKNOWN))
    return AnimeList(SLUG, username, tuple(entries.values()), unmapped, tuple(favourite_ids))


def _parse_response(reading: ListRead[Any], adapter: TypeAdapter[T], reply: HttpResponse) -> T:
    """Return what an answer holds, or the error that it stands for."""
    if reply.status == 200:
        return reading.parse(adapter, reply)
    faults = try_parse_payload(_ERRORS_ADAPTER, reply)
    said = "; ".join(f.detail or f.title or "" for f in faults.errors) if faults else ""
    raise reading.refusal(reply, {403: PrivateList, 404: UnknownUser}, said)
