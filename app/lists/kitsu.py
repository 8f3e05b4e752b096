"""Kitsu: first who the user is, then the library page by page, with MyAnimeList's ids beside it.

Kitsu shows strangers neither private entries nor those it marks as not safe for work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, TypeAdapter

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import (
    EmptyList,
    ListTooLong,
    NotFoundOrPrivate,
    PrivateList,
    SourceDown,
    UnknownUser,
)
from app.lists.http_client import Deadline, HttpResponse, SourceClient, url_origin
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
from app.lists.payload import error_for_status, is_html, parse_payload, try_parse_payload
from app.lists.progress import FetchProgress, ListProgressCallback, ignore_progress
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


def clean_username(typed: str) -> str:
    """The username in what a fan typed or pasted, or BadUsername."""
    return USERNAME_RULE.clean_username(typed)


def fetch_anime_list(
    username: str,
    *,
    client: SourceClient,
    kitsu_to_mal: Mapping[int, int],
    base_url: str = BASE_URL,
    max_entries: int = 20_000,
    deadline_s: float = 25.0,
    on_progress: ListProgressCallback = ignore_progress,
) -> AnimeList:
    """The anime list of ``username``, in Kitsu's spelling of the name.

    ``kitsu_to_mal`` stands in where Kitsu does not know MyAnimeList's id; what neither knows is
    counted in ``unmapped``. Raises BadUsername, UnknownUser, PrivateList, NotFoundOrPrivate,
    EmptyList, ListTooLong, RateLimited or SourceDown.
    """
    name = clean_username(username)
    deadline = Deadline(deadline_s)

    def ask(path: str, query: Mapping[str, str]) -> HttpResponse:
        url = f"{base_url}/{path}"
        return client.send(
            "GET", url, username=name, deadline=deadline, params=query, headers=_HEADERS
        )

    on_progress(FetchProgress())
    user, favourites = _find_user(ask, name)
    entries: dict[str, LibraryEntry] = {}
    mal_ids: dict[str, int] = {}
    titles: dict[str, str | None] = {}
    query = _library_query(user.id if user else name)
    number = 1
    while True:
        on_progress(FetchProgress(number, len(entries)))
        page = _parse_response(_PAGE_ADAPTER, ask("library-entries", query), name)
        before = len(entries)
        for entry in page.data:
            if anime := entry.relationships.anime.data:
                entries[anime.id] = entry
        if len(entries) > max_entries:
            raise ListTooLong(source=NAME, username=name, limit=max_entries)
        index_included(page.included, mal_ids, titles)
        if page.links.next is None or len(entries) == before:
            break
        query |= _next_page_query(page.links.next, base_url, name)
        number += 1
    if not entries and not favourites:
        kind = EmptyList if user else NotFoundOrPrivate
        raise kind(source=NAME, username=name)
    spelt = (user.attributes.name if user else None) or name
    return _to_anime_list(spelt, entries, favourites, mal_ids, titles, kitsu_to_mal)


def _find_user(send_query: Any, name: str) -> tuple[KitsuUserRecord | None, list[str]]:
    """Who is meant: by name, by the name in profile addresses, or (None) by number; favourites."""
    for kind in ("name", "slug"):
        who = {f"filter[{kind}]": name}
        reply = send_query("users", {**who, **FAVOURITES_QUERY})
        if reply.status == HTTPStatus.BAD_REQUEST:  # it gives no favourites along
            reply = send_query("users", {**who, "fields[users]": "name,slug"})
        found = _parse_response(_USERS_ADAPTER, reply, name)
        # Several may share a name but for its case; the exact one is meant, if there is one.
        users = sorted(found.data, key=lambda user: user.attributes.name != name)
        if users:
            return users[0], favourite_anime_ids(users[0], found.included)
    if name.isascii() and name.isdigit():
        return None, []
    raise UnknownUser(source=NAME, username=name)


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


def _next_page_query(url: str, base_url: str, username: str) -> dict[str, str]:
    """The query of the next page, which is only ever asked of our own host."""
    if url_origin(url) not in (url_origin(base_url), url_origin(BASE_URL)):
        raise SourceDown(source=NAME, username=username, detail="links.next leads to another host")
    return dict(parse_qsl(urlsplit(url).query))


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


def _parse_response(adapter: TypeAdapter[T], reply: HttpResponse, username: str) -> T:
    """What an answer holds, or the error that it stands for."""
    if reply.status == 200:
        return parse_payload(adapter, reply, source=NAME, username=username)
    if reply.status == 403 and not is_html(reply):
        raise PrivateList(source=NAME, username=username)
    if reply.status == 404 and not is_html(reply):
        raise UnknownUser(source=NAME, username=username)
    faults = try_parse_payload(_ERRORS_ADAPTER, reply)
    said = "; ".join(f.detail or f.title or "" for f in faults.errors) if faults else ""
    raise error_for_status(reply, source=NAME, username=username, reason=said)
