"""Shikimori, whose ids are MyAnimeList's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import quote

from pydantic import AliasPath, BaseModel, Field

from app.lists.entry import AnimeList
from app.lists.errors import PrivateList, UnknownUser
from app.lists.normalize import MAL_STATUS_NAMES, normalize_entry
from app.lists.reader import ListRead, ListReader
from app.lists.usernames import UNSEEN, UsernameRule
from app.recommender.watch_status import WatchStatus
from app.translation import mark

SLUG: Final = "shikimori"
NAME: Final = "Shikimori"
BASE_URL: Final = "https://shikimori.io/api"
PAGE_SIZE: Final = 5_000
USERNAME_RULE: Final = UsernameRule(
    source=NAME,
    # What the site itself takes out of names, in its FixName; + stands for a blank in addresses.
    username_pattern=re.compile(rf"""[^{UNSEEN}%&#/\\?><\]\[:,@"'`]{{1,40}}"""),
    description=mark("names there have none of %% & # / \\ ? < > [ ] : , @ and quotes"),
    profile_hosts=("shikimori.io", "shikimori.one", "shikimori.me", "shikimori.org"),
    profile_path="",
)
_STATUS_MAP: Final = {
    **MAL_STATUS_NAMES,
    "rewatching": WatchStatus.COMPLETED,
    "planned": WatchStatus.PLAN_TO_WATCH,
}


class _ShikimoriRate(BaseModel):
    score: float | None
    status: str | None
    anime_id: int = Field(validation_alias=AliasPath("anime", "id"))
    title: str | None = Field(None, validation_alias=AliasPath("anime", "name"))


@dataclass(frozen=True, kw_only=True)
class ShikimoriReader(ListReader):
    """Lists on Shikimori."""

    username_rule = USERNAME_RULE
    refusals: ClassVar = {404: UnknownUser, 403: PrivateList}
    base_url: str = BASE_URL

    def _read(self, reading: ListRead[_ShikimoriRate]) -> AnimeList:
        url = f"{self.base_url}/users/{quote(reading.username, safe='')}/anime_rates"
        page = 0
        while True:
            page += 1
            # Without is_nickname a name of digits, or that begins with some, is a user's number.
            query = {"limit": str(PAGE_SIZE), "page": str(page), "is_nickname": "1"}
            rows = reading.get_page(list[_ShikimoriRate], url, query)
            grew = reading.add({row.anime_id: row for row in rows})
            # One row more than asked for says that there is another page; it comes again there.
            if len(rows) + reading.odd_on_page <= PAGE_SIZE or not grew:
                break
        entries = tuple(
            normalize_entry(row.anime_id, _STATUS_MAP.get(row.status or ""), row.score, row.title)
            for row in reading.found_rows()
        )
        return AnimeList(source=SLUG, username=reading.username, entries=entries)
