"""Shikimori, whose ids are MyAnimeList's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import PrivateList, UnknownUser
from app.lists.normalize import normalize_score, normalize_title
from app.lists.reader import ListRead, ListReader
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


@dataclass(frozen=True, kw_only=True)
class ShikimoriReader(ListReader):
    """Lists on Shikimori."""

    username_rule = USERNAME_RULE
    base_url: str = BASE_URL

    def _read(self, reading: ListRead[_ShikimoriRate]) -> AnimeList:
        url = f"{self.base_url}/users/{quote(reading.username, safe='')}/anime_rates"
        page = 0
        while True:
            page += 1
            reply = reading.get_page(url, {"limit": str(PAGE_SIZE), "page": str(page)})
            if reply.status != 200:
                raise reading.refusal(reply, {404: UnknownUser, 403: PrivateList})
            rows = reading.parse(_PAGE_ADAPTER, reply)
            grew = reading.add({row.anime.id: row for row in rows})
            # One row more than asked for says that there is another page; it comes again there.
            if len(rows) <= PAGE_SIZE or not grew:
                break
        entries = tuple(_to_list_entry(row) for row in reading.found_rows())
        return AnimeList(source=SLUG, username=reading.username, entries=entries)


def _to_list_entry(row: _ShikimoriRate) -> ListEntry:
    status = _STATUS_MAP.get(row.status or "", WatchStatus.UNKNOWN)
    return ListEntry(
        row.anime.id, status, normalize_score(row.score), normalize_title(row.anime.name)
    )
