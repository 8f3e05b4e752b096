"""MyAnimeList's own list pages, which need no key: the JSON that a list page loads as it scrolls.

It is undocumented, so it is off unless the operator turns it on, and asked slowly.
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

from app.lists.entry import FanList, ListEntry
from app.lists.errors import EmptyList, ListTooLong, NotFoundOrPrivate
from app.lists.fields import MAL_CODES, to_score, to_title
from app.lists.http import Deadline, Reply, SourceClient
from app.lists.myanimelist import NAME, SLUG, clean_username
from app.lists.payload import is_web_page, read_payload, refusal
from app.lists.progress import Progress, Report, unreported
from app.recommender.status import Status

BASE_URL: Final = "https://myanimelist.net"
PAGE: Final = 300
_ALL = "7"


def _as_text(value: object) -> object:
    """A title made of digits arrives as a number."""
    return str(value) if isinstance(value, int | float) else value


class _Row(BaseModel):
    anime_id: int = Field(gt=0)
    status: int
    score: float
    is_rewatching: bool | None = None
    anime_title: Annotated[str | None, BeforeValidator(_as_text)] = None


_PAGE: Final = TypeAdapter(list[_Row])


def fetch(
    username: str,
    *,
    client: SourceClient,
    base_url: str = BASE_URL,
    max_entries: int = 20_000,
    deadline_s: float = 60.0,
    report: Report = unreported,
) -> FanList:
    """The anime list of ``username``; the client's throttle keeps the pages apart.

    Raises BadUsername, NotFoundOrPrivate, EmptyList, ListTooLong, RateLimited or SourceDown.
    """
    name = clean_username(username)
    deadline = Deadline(deadline_s)
    url = f"{base_url}/animelist/{quote(name, safe='')}/load.json"
    found: dict[int, _Row] = {}
    offset = 0
    while True:
        report(Progress(1 + offset // PAGE, len(found)))
        query = {"offset": str(offset), "status": _ALL}
        reply = client.send("GET", url, username=name, deadline=deadline, params=query)
        rows = _read(reply, name)
        before = len(found)
        found |= {row.anime_id: row for row in rows}
        if len(found) > max_entries:
            raise ListTooLong(source=NAME, username=name, limit=max_entries)
        if len(rows) < PAGE or len(found) == before:
            break
        offset += len(rows)
    if not found:
        raise EmptyList(source=NAME, username=name)
    entries = tuple(_entry(row) for row in found.values())
    return FanList(source=SLUG, username=name, entries=entries)


def _entry(row: _Row) -> ListEntry:
    known = MAL_CODES.get(row.status, Status.UNKNOWN)
    status = Status.COMPLETED if row.is_rewatching else known
    return ListEntry(row.anime_id, status, to_score(row.score), to_title(row.anime_title))


def _read(reply: Reply, username: str) -> list[_Row]:
    """The rows of an answer, or the error that the answer stands for."""
    if reply.status == 200:
        return read_payload(_PAGE, reply, source=NAME, username=username)
    # One answer stands for a name that is not there and for a list that is not shown.
    if reply.status in (400, 403, 404) and not is_web_page(reply):
        raise NotFoundOrPrivate(source=NAME, username=username)
    raise refusal(reply, source=NAME, username=username)
