"""Kitsu: first who the user is, then the library page by page, with MyAnimeList's ids beside it.

Kitsu shows strangers neither private entries nor those it marks as not safe for work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Final

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import EmptyList, ListError, PrivateList, UnknownUser
from app.lists.http_client import HttpResponse
from app.lists.kitsu_schema import (
    JsonApiErrors,
    KitsuUserRecord,
    LibraryEntry,
    LibraryPage,
    UsersResponse,
    favourite_anime_ids,
    index_included,
)
from app.lists.normalize import MAL_STATUS_NAMES, merge_split_titles, normalize_entry, parse_id
from app.lists.payload import try_parse_payload
from app.lists.reader import ListRead, ListReader
from app.lists.usernames import UNSEEN, UsernameRule
from app.recommender.watch_status import WatchStatus
from app.translation import mark

SLUG: Final = "kitsu"
NAME: Final = "Kitsu"
BASE_URL: Final = "https://kitsu.app/api/edge"
PAGE_SIZE: Final = 500  # the most that Kitsu gives of a library at once
USERNAME_RULE: Final = UsernameRule(
    source=NAME,
    # Kitsu allows everything but control characters, in every script.
    username_pattern=re.compile(rf"[^{UNSEEN}]{{1,40}}"),
    description=mark("names there have up to 40 letters and no control characters"),
    profile_hosts=("kitsu.app", "kitsu.io"),
    profile_path="users/",
    ignores_case=False,
)
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{2,19}")
_HEADERS = {"Accept": "application/vnd.api+json"}
STATUS_MAP: Final = {
    **MAL_STATUS_NAMES,
    "current": WatchStatus.WATCHING,
    "planned": WatchStatus.PLAN_TO_WATCH,
}
_FAVOURITES_QUERY: Final[Mapping[str, str]] = {
    "include": "favorites.item",
    "fields[users]": "name,slug,favorites",
    "fields[favorites]": "favRank,item",
    # Of what is a favourite only its number is wanted.
    **{f"fields[{kind}]": "slug" for kind in ("anime", "manga", "characters", "people")},
}
"""What is asked for beside the user."""


@dataclass(frozen=True, kw_only=True)
class KitsuReader(ListReader):
    """Lists on Kitsu, in Kitsu's spelling of the name.

    ``kitsu_to_mal`` stands in where Kitsu does not know MyAnimeList's id; what neither knows is
    counted in ``unmapped``.
    """

    username_rule = USERNAME_RULE
    refusals: ClassVar = {403: PrivateList, 404: UnknownUser}
    base_url: str = BASE_URL
    kitsu_to_mal: Mapping[int, int]

    def _read(self, reading: ListRead[LibraryEntry]) -> AnimeList:
        reading.report()
        user, favourites = self._find_user(reading)
        mal_ids: dict[str, int] = {}
        titles: dict[str, str | None] = {}
        query = _library_query(user.id)
        url = f"{self.base_url}/library-entries"
        while True:
            page = reading.get_page(LibraryPage, url, query, headers=_HEADERS)
            grew = reading.add({entry.anime.id: entry for entry in page.data if entry.anime})
            index_included(page.included, mal_ids, titles)
            if page.next_url is None or not grew:
                break
            query |= reading.next_query(page.next_url, BASE_URL, "links.next")
        if not reading.rows and not favourites:
            raise reading.error(EmptyList)
        spelt = user.name or reading.username
        by_kitsu_id = self._mal_ids({*reading.rows, *favourites}, mal_ids)
        entries = merge_split_titles(_mapped_entries(reading.rows, by_kitsu_id, titles))
        unmapped = sum(kitsu_id not in by_kitsu_id for kitsu_id in reading.rows)
        favourite_ids = dict.fromkeys(by_kitsu_id[a] for a in favourites if a in by_kitsu_id)
        for anime_id in favourite_ids:
            # Not in the library, but surely seen.
            entries.setdefault(anime_id, ListEntry(anime_id, WatchStatus.UNKNOWN))
        return AnimeList(SLUG, spelt, tuple(entries.values()), unmapped, tuple(favourite_ids))

    def _mal_ids(self, kitsu_ids: Iterable[str], told: Mapping[str, int]) -> dict[str, int]:
        """MyAnimeList's ids of those anime of which Kitsu or ``kitsu_to_mal`` has one."""
        known = {each: self.kitsu_to_mal.get(parse_id(each) or 0) for each in kitsu_ids}
        return {each: anime_id for each, anime_id in {**known, **told}.items() if anime_id}

    def refusal(self, reading: ListRead[Any], reply: HttpResponse) -> ListError:
        """Return what an answer other than 200 stands for."""
        faults = try_parse_payload(JsonApiErrors, reply)
        said = "; ".join(f.detail or f.title or "" for f in faults.errors[:3]) if faults else ""
        return reading.refusal(reply, self.refusals, said)

    def _find_user(self, reading: ListRead[LibraryEntry]) -> tuple[KitsuUserRecord, list[str]]:
        """Find the user by name or by slug, never by number; and the user's favourites."""
        name, url = reading.username, f"{self.base_url}/users"
        for kind in ("name", "slug") if _SLUG.fullmatch(name) else ("name",):
            who = {f"filter[{kind}]": _quote_value(name)}
            reply = reading.send("GET", url, params={**who, **_FAVOURITES_QUERY}, headers=_HEADERS)
            if reply.status == HTTPStatus.BAD_REQUEST:  # it gives no favourites along
                bare = {**who, "fields[users]": "name,slug"}
                reply = reading.send("GET", url, params=bare, headers=_HEADERS)
            found = reading.accept(UsersResponse, reply)
            # Several may share a name but for its case; the exact one is meant, if there is one.
            users = sorted(found.data, key=lambda user: user.name != name)
            if users:
                return users[0], favourite_anime_ids(users[0], found.included)
        raise reading.error(UnknownUser)


def _quote_value(name: str) -> str:
    """Write a name as one value of a filter: Kitsu reads a line of CSV there."""
    return '"{}"'.format(name.replace('"', '""')) if {",", '"'} & set(name) else name


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


def _mapped_entries(
    rows: Mapping[str, LibraryEntry], mal_ids: Mapping[str, int], titles: Mapping[str, str | None]
) -> Iterator[ListEntry]:
    """Entries of anime that MyAnimeList has."""
    for kitsu_id, entry in rows.items():
        if kitsu_id in mal_ids:
            yield normalize_entry(
                mal_ids[kitsu_id],
                STATUS_MAP.get(entry.status or ""),
                entry.rating / 2 if entry.rating is not None else None,
                titles.get(kitsu_id),
                rewatching=entry.reconsuming,
            )
