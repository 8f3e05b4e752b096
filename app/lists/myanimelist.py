"""MyAnimeList through its official API v2, for operators who have a (free) client id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import BaseModel, Field, TypeAdapter

from app.lists.entry import Details, FanList, ListEntry
from app.lists.errors import (
    EmptyList,
    ListTooLong,
    PrivateList,
    RateLimited,
    SourceDown,
    UnknownUser,
)
from app.lists.fields import to_picture, to_score, to_synopsis, to_title
from app.lists.http import Deadline, Reply, SourceClient, origin
from app.lists.payload import is_web_page, read_payload, refusal, try_payload
from app.lists.progress import Progress, Report, unreported
from app.lists.usernames import NameRule
from app.recommender.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

SLUG: Final = "myanimelist"
NAME: Final = "MyAnimeList"
BASE_URL: Final = "https://api.myanimelist.net/v2"
PAGE: Final = 1_000  # the most that MyAnimeList gives at once
NAMES: Final = NameRule(
    source=NAME,
    pattern=re.compile(r"[A-Za-z0-9_-]{1,64}"),
    words="names there are letters, digits, - and _",
    hosts=("myanimelist.net",),
    path="(?:profile|animelist|history)/",
)
# Titles, pictures and synopses come along, which saves asking for them one by one.
_FIELDS: Final = (
    "list_status{status,score,is_rewatching},synopsis,main_picture,alternative_titles,rating"
)
_STATUSES: Final[Mapping[str, Status]] = {
    "watching": Status.WATCHING,
    "completed": Status.COMPLETED,
    "on_hold": Status.ON_HOLD,
    "dropped": Status.DROPPED,
    "plan_to_watch": Status.PLAN_TO_WATCH,
}


class Picture(BaseModel):
    """Addresses of one picture in its sizes."""

    medium: str | None = None
    large: str | None = None


class Node(BaseModel):
    """An anime as MyAnimeList describes it."""

    id: int = Field(gt=0)
    title: str | None = None
    main_picture: Picture | None = None  # some have none
    synopsis: str | None = None

    def details(self) -> Details:
        """What a page shows of it."""
        picture = self.main_picture
        return Details(
            self.id,
            to_picture(picture.medium or picture.large) if picture else None,
            to_synopsis(self.synopsis),
        )


class _ListStatus(BaseModel):
    status: str | None  # null has been seen where a user never chose one
    score: float
    is_rewatching: bool | None = None


class _Row(BaseModel):
    node: Node
    list_status: _ListStatus


class _Paging(BaseModel):
    next: str | None = None


class _Page(BaseModel):
    data: list[_Row]
    paging: _Paging = _Paging()


class Fault(BaseModel):
    """What MyAnimeList answers instead of what was asked for."""

    error: str
    message: str | None = None


_PAGE: Final = TypeAdapter(_Page)
FAULT: Final = TypeAdapter(Fault)


def clean_username(typed: str) -> str:
    """The username in what a fan typed or pasted, or BadUsername."""
    return NAMES.clean(typed)


def fetch(
    username: str,
    *,
    client: SourceClient,
    client_id: str,
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
    url = f"{base_url}/users/{quote(name, safe='')}/animelist"
    headers = {"X-MAL-CLIENT-ID": client_id}
    # Without nsfw=true ordinary shows are missing: the flag has many false positives.
    query = {"fields": _FIELDS, "nsfw": "true", "limit": str(PAGE), "offset": "0"}
    found: dict[int, _Row] = {}
    number = 1
    while True:
        report(Progress(number, len(found)))
        reply = client.send(
            "GET", url, username=name, deadline=deadline, params=query, headers=headers
        )
        page = _read(reply, name)
        before = len(found)
        found |= {row.node.id: row for row in page.data}
        if len(found) > max_entries:
            raise ListTooLong(source=NAME, username=name, limit=max_entries)
        if page.paging.next is None or len(found) == before:
            break  # a page that brings nothing new would go on for ever
        query |= _next_query(page.paging.next, base_url, name)
        number += 1
    if not found:
        raise EmptyList(source=NAME, username=name)
    return FanList(
        source=SLUG,
        username=name,
        entries=tuple(_entry(row) for row in found.values()),
        details=tuple(row.node.details() for row in found.values()),
    )


def _next_query(address: str, base_url: str, username: str) -> dict[str, str]:
    """The query of the next page, which is only ever asked of our own host.

    MyAnimeList's own address stands for ours where a proxy is in between.
    """
    if origin(address) not in (origin(base_url), origin(BASE_URL)):
        raise SourceDown(source=NAME, username=username, detail="paging.next leads to another host")
    return dict(parse_qsl(urlsplit(address).query))


def _entry(row: _Row) -> ListEntry:
    listed = row.list_status
    # Who watches again has seen it, whatever the status says.
    status = (
        Status.COMPLETED
        if listed.is_rewatching
        else _STATUSES.get(listed.status or "", Status.UNKNOWN)
    )
    return ListEntry(row.node.id, status, to_score(listed.score), to_title(row.node.title))


def _read(reply: Reply, username: str) -> _Page:
    """The page in an answer, or the error that the answer stands for."""
    if reply.status == 200:
        return read_payload(_PAGE, reply, source=NAME, username=username)
    fault = try_payload(FAULT, reply)
    said = f"{fault.error} {fault.message or ''}".strip() if fault else ""
    if reply.status == 404 and not is_web_page(reply):
        raise UnknownUser(source=NAME, username=username)
    if reply.status == 403 and not is_web_page(reply):
        if "dos" in said.casefold().split():
            raise RateLimited(source=NAME, username=username, retry_after=reply.retry_after())
        raise PrivateList(source=NAME, username=username, or_refused=True)
    raise refusal(reply, source=NAME, username=username, said=said)
