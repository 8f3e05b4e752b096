"""Shikimori, whose ids are MyAnimeList's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import EmptyList, ListTooLong, PrivateList, UnknownUser
from app.lists.http_client import Deadline, HttpResponse, SourceClient
from app.lists.normalize import normalize_score, normalize_title
from app.lists.payload import error_for_status, is_html, parse_payload
from app.lists.progress import FetchProgress, ListProgressCallback, ignore_progress
from app.lists.usernames import UsernameRule
from app.recommender.watch_status import WatchStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

SLUG: Final = "shikimori"
NAME: Final = "Shikimori"
BASE_URL: Final = "https://shikimori.io/api"
PAGE_SIZE: Final = 5_000
USERNAME_RULE: Final = UsernameRule(
    source=NAME,
    username_pattern=re.compile(r"[\w .+\-]{1,40}"),
    description="names there are letters, digits, spaces and . - _",
    profile_hosts=("shikimori.io", "shikimori.one", "shikimori.me", "shikimori.org"),
    profile_path="",
)
_STATUS_MAP: Final[Mapping[str, WatchStatus]] = {
    "watching": WatchStatus.WATCHING,
    "completed": WatchStatus.COMPLETED,
    "rewatching": WatchStatus.COMPLETED,
    "on_hold": WatchStatus.ON_HOLD,
    "dropped": WatchStatus.DROPPED,
    "planned": WatchStatus.PLAN_TO_WATCH,
}


class _ShikimoriAnime(BaseModel):
    id: int = Field(gt=0)
    name: str | None = None


class _ShikimoriRate(BaseModel):
    score: float | None
    status: str | None
    anime: _ShikimoriAnime


_PAGE_ADAPTER: Final = TypeAdapter(list[_ShikimoriRate])


def clean_username(typed: str) -> str:
    """The nickname in what a fan typed or pasted, or BadUsername."""
    return USERNAME_RULE.clean_username(typed)


def fetch_anime_list(
    username: str,
    *,
    client: SourceClient,
    base_url: str = BASE_URL,
    max_entries: int = 20_000,
    deadline_s: float = 25.0,
    on_progress: ListProgressCallback = ignore_progress,
) -> AnimeList:
    """The anime list of ``username``.

    Raises BadUsername, UnknownUser, PrivateList, EmptyList, ListTooLong, RateLimited or SourceDown.
    """
    name = clean_username(username)
    deadline = Deadline(deadline_s)
    url = f"{base_url}/users/{quote(name, safe='')}/anime_rates"
    found: dict[int, _ShikimoriRate] = {}
    page = 1
    while True:
        on_progress(FetchProgress(page, len(found)))
        query = {"limit": str(PAGE_SIZE), "page": str(page)}
        reply = client.send("GET", url, username=name, deadline=deadline, params=query)
        rows = _parse_response(reply, name)
        before = len(found)
        found |= {row.anime.id: row for row in rows}
        if len(found) > max_entries:
            raise ListTooLong(source=NAME, username=name, limit=max_entries)
        # One row more than asked for says that there is another page; it comes again there.
        if len(rows) <= PAGE_SIZE or len(found) == before:
            break
        page += 1
    if not found:
        raise EmptyList(source=NAME, username=name)
    entries = tuple(_to_list_entry(row) for row in found.values())
    return AnimeList(source=SLUG, username=name, entries=entries)


def _to_list_entry(row: _ShikimoriRate) -> ListEntry:
    status = _STATUS_MAP.get(row.status or "", WatchStatus.UNKNOWN)
    return ListEntry(
        row.anime.id, status, normalize_score(row.score), normalize_title(row.anime.name)
    )


def _parse_response(reply: HttpResponse, username: str) -> list[_ShikimoriRate]:
    """The rows of an answer, or the error that the answer stands for."""
    if reply.status == 200:
        return parse_payload(_PAGE_ADAPTER, reply, source=NAME, username=username)
    if reply.status == 404 and not is_html(reply):
        raise UnknownUser(source=NAME, username=username)
    if reply.status == 403 and not is_html(reply):
        raise PrivateList(source=NAME, username=username)
    raise error_for_status(reply, source=NAME, username=username)
