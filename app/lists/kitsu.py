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

from app.lists.entry import FanList, ListEntry
from app.lists.errors import (
    EmptyList,
    ListTooLong,
    NotFoundOrPrivate,
    PrivateList,
    SourceDown,
    UnknownUser,
)
from app.lists.fields import to_score, to_title
from app.lists.http import Deadline, Reply, SourceClient, origin
from app.lists.kitsu_favourites import ALONG, favourites_of
from app.lists.kitsu_records import Entry, Faults, Page, User, Users, learn
from app.lists.payload import is_web_page, read_payload, refusal, try_payload
from app.lists.progress import Progress, Report, unreported
from app.lists.usernames import NameRule
from app.recommender.status import Status

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T", bound=BaseModel)

SLUG: Final = "kitsu"
NAME: Final = "Kitsu"
BASE_URL: Final = "https://kitsu.app/api/edge"
PAGE: Final = 500  # the most that Kitsu gives of a library at once
NAMES: Final = NameRule(
    source=NAME,
    # A comma would ask for several users at once.
    pattern=re.compile(r"[\w .\-]{1,40}"),
    words="names there are letters, digits, spaces and . - _",
    hosts=("kitsu.app", "kitsu.io"),
    path="users/",
)
_HEADERS = {"Accept": "application/vnd.api+json"}
STATUSES: Final[Mapping[str | None, Status]] = {
    "current": Status.WATCHING,
    "completed": Status.COMPLETED,
    "on_hold": Status.ON_HOLD,
    "dropped": Status.DROPPED,
    "planned": Status.PLAN_TO_WATCH,
}


_USERS: Final = TypeAdapter(Users)
_PAGE: Final = TypeAdapter(Page)
_FAULTS: Final = TypeAdapter(Faults)


def clean_username(typed: str) -> str:
    """The username in what a fan typed or pasted, or BadUsername."""
    return NAMES.clean(typed)


def fetch(
    username: str,
    *,
    client: SourceClient,
    kitsu_to_mal: Mapping[int, int],
    base_url: str = BASE_URL,
    max_entries: int = 20_000,
    deadline_s: float = 25.0,
    report: Report = unreported,
) -> FanList:
    """The anime list of ``username``, in Kitsu's spelling of the name.

    ``kitsu_to_mal`` stands in where Kitsu does not know MyAnimeList's id; what neither knows is
    counted in ``unmapped``. Raises BadUsername, UnknownUser, PrivateList, NotFoundOrPrivate,
    EmptyList, ListTooLong, RateLimited or SourceDown.
    """
    name = clean_username(username)
    deadline = Deadline(deadline_s)

    def ask(path: str, query: Mapping[str, str]) -> Reply:
        url = f"{base_url}/{path}"
        return client.send(
            "GET", url, username=name, deadline=deadline, params=query, headers=_HEADERS
        )

    report(Progress())
    user, favourites = _find_user(ask, name)
    entries: dict[str, Entry] = {}
    mal_ids: dict[str, int] = {}
    titles: dict[str, str | None] = {}
    query = _library_query(user.id if user else name)
    number = 1
    while True:
        report(Progress(number, len(entries)))
        page = _read(_PAGE, ask("library-entries", query), name)
        before = len(entries)
        for entry in page.data:
            if anime := entry.relationships.anime.data:
                entries[anime.id] = entry
        if len(entries) > max_entries:
            raise ListTooLong(source=NAME, username=name, limit=max_entries)
        learn(page.included, mal_ids, titles)
        if page.links.next is None or len(entries) == before:
            break
        query |= _next_query(page.links.next, base_url, name)
        number += 1
    if not entries and not favourites:
        kind = EmptyList if user else NotFoundOrPrivate
        raise kind(source=NAME, username=name)
    spelt = (user.attributes.name if user else None) or name
    return _to_fan_list(spelt, entries, favourites, mal_ids, titles, kitsu_to_mal)


def _find_user(ask: Any, name: str) -> tuple[User | None, list[str]]:
    """Who is meant: by name, by the name in profile addresses, or (None) by number; favourites."""
    for kind in ("name", "slug"):
        who = {f"filter[{kind}]": name}
        reply = ask("users", {**who, **ALONG})
        if reply.status == HTTPStatus.BAD_REQUEST:  # it gives no favourites along
            reply = ask("users", {**who, "fields[users]": "name,slug"})
        found = _read(_USERS, reply, name)
        # Several may share a name but for its case; the exact one is meant, if there is one.
        users = sorted(found.data, key=lambda user: user.attributes.name != name)
        if users:
            return users[0], favourites_of(users[0], found.included)
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
        "page[limit]": str(PAGE),
        "page[offset]": "0",
    }


def _next_query(address: str, base_url: str, username: str) -> dict[str, str]:
    """The query of the next page, which is only ever asked of our own host."""
    if origin(address) not in (origin(base_url), origin(BASE_URL)):
        raise SourceDown(source=NAME, username=username, detail="links.next leads to another host")
    return dict(parse_qsl(urlsplit(address).query))


def _to_fan_list(
    username: str,
    found: Mapping[str, Entry],
    favourites: Iterable[str],
    mal_ids: Mapping[str, int],
    titles: Mapping[str, str | None],
    kitsu_to_mal: Mapping[int, int],
) -> FanList:
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
        facts = entry.attributes
        # Who watches again has seen it.
        status = (
            Status.COMPLETED if facts.reconsuming else STATUSES.get(facts.status, Status.UNKNOWN)
        )
        score = to_score(facts.rating / 2 if facts.rating is not None else None)
        read = ListEntry(anime_id, status, score, to_title(titles.get(kitsu_id)))
        # Kitsu splits some titles that MyAnimeList keeps as one: the scored half speaks.
        other = entries.get(anime_id)
        if other is None or (other.score is None and score is not None):
            entries[anime_id] = read
    loved = dict.fromkeys(mal_id for each in favourites if (mal_id := on_mal(each)))
    for anime_id in loved:
        # Not in the library, but surely seen.
        entries.setdefault(anime_id, ListEntry(anime_id, Status.UNKNOWN))
    return FanList(SLUG, username, tuple(entries.values()), unmapped, tuple(loved))


def _read(adapter: TypeAdapter[T], reply: Reply, username: str) -> T:
    """What an answer holds, or the error that it stands for."""
    if reply.status == 200:
        return read_payload(adapter, reply, source=NAME, username=username)
    if reply.status == 403 and not is_web_page(reply):
        raise PrivateList(source=NAME, username=username)
    if reply.status == 404 and not is_web_page(reply):
        raise UnknownUser(source=NAME, username=username)
    faults = try_payload(_FAULTS, reply)
    said = "; ".join(f.detail or f.title or "" for f in faults.errors) if faults else ""
    raise refusal(reply, source=NAME, username=username, said=said)
