"""MyAnimeList's own list pages, which need no key: the JSON that a list page loads as it scrolls.

It is undocumented, so it is off unless the operator turns it on, and asked slowly.
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import EmptyList, ListTooLong, NotFoundOrPrivate
from app.lists.http_client import Deadline, HttpResponse, SourceClient
from app.lists.myanimelist import NAME, SLUG, clean_username
from app.lists.normalize import MAL_STATUS_CODES, normalize_score, normalize_title
from app.lists.payload import error_for_status, is_html, parse_payload
from app.lists.progress import FetchProgress, ListProgressCallback, ignore_progress
from app.recommender.watch_status import WatchStatus

BASE_URL: Final = "https://myanimelist.net"
PAGE_SIZE: Final = 300
_ALL_STATUSES = "7"


def _number_to_text(value: object) -> object:
    """A title made of digits arrives as a number."""
    return str(value) if isinstance(value, int | float) else value


class _MalPageEntry(BaseModel):
    anime_id: int = Field(gt=0)
    status: int
    score: float
    is_rewatching: bool | None = None
    anime_title: Annotated[str | None, BeforeValidator(_number_to_text)] = None


_PAGE_ADAPTER: Final = TypeAdapter(list[_MalPageEntry])


def fetch_anime_list(
    username: str,
    *,
    client: SourceClient,
    base_url: str = BASE_URL,
    max_entries: int = 20_000,
    deadline_s: float = 60.0,
    on_progress: ListProgressCallback = ignore_progress,
) -> AnimeList:
    """The anime list of ``username``; the client's throttle keeps the pages apart.

    Raises BadUsername, NotFoundOrPrivate, EmptyList, ListTooLong, RateLimited or SourceDown.
    """
    name = clean_username(username)
    deadline = Deadline(deadline_s)
    url = f"{base_url}/animelist/{quote(name, safe='')}/load.json"
    found: dict[int, _MalPageEntry] = {}
    offset = 0
    while True:
        on_progress(FetchProgress(1 + offset // PAGE_SIZE, len(found)))
        query = {"offset": str(offset), "status": _ALL_STATUSES}
        reply = client.send("GET", url, username=name, deadline=deadline, params=query)
        rows = _parse_response(reply, name)
        before = len(found)
        found |= {row.anime_id: row for row in rows}
        if len(found) > max_entries:
            raise ListTooLong(source=NAME, username=name, limit=max_entries)
        if len(rows) < PAGE_SIZE or len(found) == before:
            break
        offset += len(rows)
    if not found:
        raise EmptyList(source=NAME, username=name)
    entries = tuple(_to_list_entry(row) for row in found.values())
    return AnimeList(source=SLUG, username=name, entries=entries)


def _to_list_entry(row: _MalPageEntry) -> ListEntry:
    known = MAL_STATUS_CODES.get(row.status, WatchStatus.UNKNOWN)
    status = WatchStatus.COMPLETED if row.is_rewatching else known
    return ListEntry(
        row.anime_id, status, normalize_score(row.score), normalize_title(row.anime_title)
    )


def _parse_response(reply: HttpResponse, username: str) -> list[_MalPageEntry]:
    """The rows of an answer, or the error that the answer stands for."""
    if reply.status == 200:
        return parse_payload(_PAGE_ADAPTER, reply, source=NAME, username=username)
    # One answer stands for a name that is not there and for a list that is not shown.
    if reply.status in (400, 403, 404) and not is_html(reply):
        raise NotFoundOrPrivate(source=NAME, username=username)
    raise error_for_status(reply, source=NAME, username=username)
