"""MyAnimeList's own list pages, which need no key: the JSON that a list page loads as it scrolls.

It is undocumented, so it is asked slowly, one request at a time, and an operator may turn it off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import quote

from app.lists.entry import AnimeList, ListChannel
from app.lists.errors import NotFoundOrPrivate
from app.lists.myanimelist import SLUG, USERNAME_RULE, MalRow
from app.lists.reader import ListRead, ListReader

BASE_URL: Final = "https://myanimelist.net"
PAGE_SIZE: Final = 300
DEADLINE_SECONDS: Final = 60.0
"""Seconds for a whole list: pages are asked for one every two seconds."""
_ALL_STATUSES = "7"


@dataclass(frozen=True, kw_only=True)
class MalPagesReader(ListReader):
    """Lists on MyAnimeList from its pages; the client's rate limit keeps the requests apart."""

    username_rule = USERNAME_RULE
    channel = ListChannel.LIST_PAGES
    # One answer stands for a name that is not there and for a list that is not shown.
    refusals: ClassVar = dict.fromkeys((400, 403, 404), NotFoundOrPrivate)
    base_url: str = BASE_URL
    deadline_s: float = DEADLINE_SECONDS

    def _read(self, reading: ListRead[MalRow]) -> AnimeList:
        url = f"{self.base_url}/animelist/{quote(reading.username, safe='')}/load.json"
        offset = 0
        while True:
            query = {"offset": str(offset), "status": _ALL_STATUSES}
            rows = reading.get_page(list[MalRow], url, query)
            sent = len(rows) + reading.odd_on_page
            if not reading.add({row.anime_id: row for row in rows}) or sent < PAGE_SIZE:
                break
            offset += sent
        entries = tuple(row.to_entry() for row in reading.found_rows())
        return AnimeList(source=SLUG, username=reading.username, entries=entries)
