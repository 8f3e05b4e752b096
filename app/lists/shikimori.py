"""Shikimori, whose ids are MyAnimeList's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from app.lists.entry import FanList, ListEntry
from app.lists.errors import EmptyList, ListTooLong, PrivateList, UnknownUser
from app.lists.fields import to_score, to_title
from app.lists.http import Deadline, Reply, SourceClient
from app.lists.payload import is_web_page, read_payload, refusal
from app.lists.progress import Progress, Report, unreported
from app.lists.usernames import NameRule
from app.recommender.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

SLUG: Final = "shikimori"
NAME: Final = "Shikimori"
BASE_URL: Final = "https://shikimori.io/api"
PAGE: Final = 5_000
NAMES: Final = NameRule(
    source=NAME,
    pattern=re.compile(r"[\w .+\-]{1,40}"),
    words="names there are letters, digits, spaces and . - _",
    hosts=("shikimori.io", "shikimori.one", "shikimori.me", "shikimori.org"),
    path="",
)
_STATUSES: Final[Mapping[str, Status]] = {
    "watching": Status.WATCHING,
    "completed": Status.COMPLETED,
    "rewatching": Status.COMPLETED,
    "on_hold": Status.ON_HOLD,
    "dropped": Status.DROPPED,
    "planned": Status.PLAN_TO_WATCH,
}


class _Anime(BaseModel):
    id: int = Field(gt=0)
    name: str | None = None


class _Row(BaseModel):
    score: float | None
    status: str | None
    anime: _Anime


_PAGE: Final = TypeAdapter(list[_Row])


def clean_username(typed: str) -> str:
    """The nickname in what a fan typed or pasted, or BadUsername."""
    return NAMES.clean(typed)


def fetch(
    username: str,
    *,
    client: SourceClient,
    base_url: str = BASE_URL,
    max_entries: int = 20_000,
    deadline_s: float = 25.0,
    report: Report = unreported,
) -> FanList:
    """The anime list of ``username``.

    Raises BadUsername, UnknownUser, PrivateList, EmptyList, ListTooLong, RateLimited or SourceDown.
    """
    name = clean_username(username)
    deadline = Deadline(deadline_s)
    url = f"{base_url}/users/{quote(name, safe='')}/anime_rates"
    found: dict[int, _Row] = {}
    page = 1
    while True:
        report(Progress(page, len(found)))
        query = {"limit": str(PAGE), "page": str(page)}
        reply = client.send("GET", url, username=name, deadline=deadline, params=query)
        rows = _read(reply, name)
        before = len(found)
        found |= {row.anime.id: row for row in rows}
        if len(found) > max_entries:
            raise ListTooLong(source=NAME, username=name, limit=max_entries)
        # One row more than asked for says that there is another page; it comes again there.
        if len(rows) <= PAGE or len(found) == before:
            break
        page += 1
    if not found:
        raise EmptyList(source=NAME, username=name)
    entries = tuple(_entry(row) for row in found.values())
    return FanList(source=SLUG, username=name, entries=entries)


def _entry(row: _Row) -> ListEntry:
    status = _STATUSES.get(row.status or "", Status.UNKNOWN)
    return ListEntry(row.anime.id, status, to_score(row.score), to_title(row.anime.name))


def _read(reply: Reply, username: str) -> list[_Row]:
    """The rows of an answer, or the error that the answer stands for."""
    if reply.status == 200:
        return read_payload(_PAGE, reply, source=NAME, username=username)
    if reply.status == 404 and not is_web_page(reply):
        raise UnknownUser(source=NAME, username=username)
    if reply.status == 403 and not is_web_page(reply):
        raise PrivateList(source=NAME, username=username)
    raise refusal(reply, source=NAME, username=username)
