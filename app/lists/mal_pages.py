"""MyAnimeList's own list pages, which need no key: the JSON that a list page loads as it scrolls.

It is undocumented, so it is off unless the operator turns it on, and asked slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import NotFoundOrPrivate
from app.lists.myanimelist import SLUG, USERNAME_RULE
from app.lists.normalize import MAL_STATUS_CODES, normalize_score, normalize_title
from app.lists.reader import ListRead, ListReader
from app.recommender.watch_status import WatchStatus

BASE_URL: Final = "https://myanimelist.net"
PAGE_SIZE: Final = 300
DEADLINE_SECONDS: Final = 60.0
"""Seconds for a whole list: pages are asked for one every two seconds."""
_ALL_STATUSES = "7"


def _number_to_text(value: object) -> object:
    """Return a title made of digits arrives as a number."""
    return str(value) if isinstance(value, int | float) else value


class _MalPageEntry(BaseModel):
    anime_id: int = Field(gt=0)
    status: int
    score: float
    is_rewatching: bool | None = None
    anime_title: Annotated[str | None, BeforeValidator(_number_to_text)] = None


_PAGE_ADAPTER: Final = TypeAdapter(list[_MalPageEntry])


@dataclass(frozen=True, kw_only=True)
class MalPagesReader(ListReader):
    """Lists on MyAnimeList from its pages; the client's rate limit keeps the requests apart."""

    username_rule = USERNAME_RULE
    base_url: str = BASE_URL
    deadline_s: float = DEADLINE_SECONDS

    def _read(self, reading: ListRead[_MalPageEntry]) -> AnimeList:
        url = f"{self.base_url}/animelist/{quote(reading.username, safe='')}/load.json"
        offset = 0
        while True:
            reply = reading.get_page(url, {"offset": str(offset), "status": _ALL_STATUSES})
            if reply.status != 200:
                # One answer stands for a name that is not there and for a list that is not shown.
                raise reading.refusal(reply, dict.fromkeys((400, 403, 404), NotFoundOrPrivate))
            rows = reading.parse(_PAGE_ADAPTER, reply)
            if not reading.add({row.anime_id: row for row in rows}) or len(rows) < PAGE_SIZE:
                break
            offset += len(rows)
        entries = tuple(_to_list_entry(row) for row in reading.found_rows())
        return AnimeList(source=SLUG, username=reading.username, entries=entries)


def _to_list_entry(row: _MalPageEntry) -> ListEntry:
    known = MAL_STATUS_CODES.get(row.status, WatchStatus.UNKNOWN)
    status = WatchStatus.COMPLETED if row.is_rewatching else known
    return ListEntry(
        row.anime_id, status, normalize_score(row.score), normalize_title(row.anime_title)
    )
