"""MyAnimeList through its official API v2, for operators who have a (free) client id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import BaseModel, Field, TypeAdapter

from app.lists.entry import AnimeDetails, AnimeList, ListEntry
from app.lists.errors import (
    EmptyList,
    ListTooLong,
    PrivateList,
    RateLimited,
    SourceDown,
    UnknownUser,
)
from app.lists.http_client import Deadline, HttpResponse, SourceClient, url_origin
from app.lists.normalize import allowed_picture_url, normalize_score, normalize_title, synopsis_text
from app.lists.payload import error_for_status, is_html, parse_payload, try_parse_payload
from app.lists.progress import FetchProgress, ListProgressCallback, ignore_progress
from app.lists.usernames import UsernameRule
from app.recommender.watch_status import WatchStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

SLUG: Final = "myanimelist"
NAME: Final = "MyAnimeList"
BASE_URL: Final = "https://api.myanimelist.net/v2"
PAGE_SIZE: Final = 1_000  # the most that MyAnimeList gives at once
USERNAME_RULE: Final = UsernameRule(
    source=NAME,
    username_pattern=re.compile(r"[A-Za-z0-9_-]{1,64}"),
    description="names there are letters, digits, - and _",
    profile_hosts=("myanimelist.net",),
    profile_path="(?:profile|animelist|history)/",
)
# Titles, pictures and synopses come along, which saves asking for them one by one.
_FIELDS: Final = (
    "list_status{status,score,is_rewatching},synopsis,main_picture,alternative_titles,rating"
)
_STATUS_MAP: Final[Mapping[str, WatchStatus]] = {
    "watching": WatchStatus.WATCHING,
    "completed": WatchStatus.COMPLETED,
    "on_hold": WatchStatus.ON_HOLD,
    "dropped": WatchStatus.DROPPED,
    "plan_to_watch": WatchStatus.PLAN_TO_WATCH,
}


class MalPicture(BaseModel):
    """Addresses of one picture in its sizes."""

    medium: str | None = None
    large: str | None = None


class MalAnime(BaseModel):
    """An anime as MyAnimeList describes it."""

    id: int = Field(gt=0)
    title: str | None = None
    main_picture: MalPicture | None = None  # some have none
    synopsis: str | None = None

    def to_details(self) -> AnimeDetails:
        """What a page shows of it."""
        picture = self.main_picture
        return AnimeDetails(
            self.id,
            allowed_picture_url(picture.medium or picture.large) if picture else None,
            synopsis_text(self.synopsis),
        )


class _MalListStatus(BaseModel):
    status: str | None  # null has been seen where a user never chose one
    score: float
    is_rewatching: bool | None = None


class _MalListItem(BaseModel):
    node: MalAnime
    list_status: _MalListStatus


class _MalPaging(BaseModel):
    next: str | None = None


class _MalListPage(BaseModel):
    data: list[_MalListItem]
    paging: _MalPaging = _MalPaging()


class MalError(BaseModel):
    """What MyAnimeList answers instead of what was asked for."""

    error: str
    message: str | None = None


_PAGE_ADAPTER: Final = TypeAdapter(_MalListPage)
ERROR_ADAPTER: Final = TypeAdapter(MalError)


def clean_username(typed: str) -> str:
    """The username in what a fan typed or pasted, or BadUsername."""
    return USERNAME_RULE.clean_username(typed)


def fetch_anime_list(
    username: str,
    *,
    client: SourceClient,
    client_id: str,
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
    url = f"{base_url}/users/{quote(name, safe='')}/animelist"
    headers = {"X-MAL-CLIENT-ID": client_id}
    # Without nsfw=true ordinary shows are missing: the flag has many false positives.
    query = {"fields": _FIELDS, "nsfw": "true", "limit": str(PAGE_SIZE), "offset": "0"}
    found: dict[int, _MalListItem] = {}
    number = 1
    while True:
        on_progress(FetchProgress(number, len(found)))
        reply = client.send(
            "GET", url, username=name, deadline=deadline, params=query, headers=headers
        )
        page = _parse_response(reply, name)
        before = len(found)
        found |= {row.node.id: row for row in page.data}
        if len(found) > max_entries:
            raise ListTooLong(source=NAME, username=name, limit=max_entries)
        if page.paging.next is None or len(found) == before:
            break  # a page that brings nothing new would go on for ever
        query |= _next_page_query(page.paging.next, base_url, name)
        number += 1
    if not found:
        raise EmptyList(source=NAME, username=name)
    return AnimeList(
        source=SLUG,
        username=name,
        entries=tuple(_to_list_entry(row) for row in found.values()),
        details=tuple(row.node.to_details() for row in found.values()),
    )


def _next_page_query(url: str, base_url: str, username: str) -> dict[str, str]:
    """The query of the next page, which is only ever asked of our own host.

    MyAnimeList's own address stands for ours where a proxy is in between.
    """
    if url_origin(url) not in (url_origin(base_url), url_origin(BASE_URL)):
        raise SourceDown(source=NAME, username=username, detail="paging.next leads to another host")
    return dict(parse_qsl(urlsplit(url).query))


def _to_list_entry(row: _MalListItem) -> ListEntry:
    listed = row.list_status
    # Who watches again has seen it, whatever the status says.
    status = (
        WatchStatus.COMPLETED
        if listed.is_rewatching
        else _STATUS_MAP.get(listed.status or "", WatchStatus.UNKNOWN)
    )
    return ListEntry(
        row.node.id, status, normalize_score(listed.score), normalize_title(row.node.title)
    )


def _parse_response(reply: HttpResponse, username: str) -> _MalListPage:
    """The page in an answer, or the error that the answer stands for."""
    if reply.status == 200:
        return parse_payload(_PAGE_ADAPTER, reply, source=NAME, username=username)
    fault = try_parse_payload(ERROR_ADAPTER, reply)
    said = f"{fault.error} {fault.message or ''}".strip() if fault else ""
    if reply.status == 404 and not is_html(reply):
        raise UnknownUser(source=NAME, username=username)
    if reply.status == 403 and not is_html(reply):
        if "dos" in said.casefold().split():
            raise RateLimited(source=NAME, username=username, retry_after=reply.retry_after())
        raise PrivateList(source=NAME, username=username, or_refused=True)
    raise error_for_status(reply, source=NAME, username=username, reason=said)
