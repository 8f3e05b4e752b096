"""MyAnimeList: its official API v2, for who has a (free) client id, and its own list pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import quote

from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, Field

from app.lists.entry import AnimeDetails, AnimeList, ListChannel, ListEntry
from app.lists.errors import ListError, NotFoundOrPrivate, PrivateList, RateLimited, UnknownUser
from app.lists.http_client import HttpResponse
from app.lists.normalize import (
    MAL_STATUS_CODES,
    MAL_STATUS_NAMES,
    allowed_picture_url,
    normalize_entry,
    synopsis_text,
)
from app.lists.payload import TolerantRows, is_html, try_parse_payload
from app.lists.reader import ListRead, ListReader
from app.lists.usernames import UsernameRule
from app.translation import mark

SLUG: Final = "myanimelist"
NAME: Final = "MyAnimeList"
BASE_URL: Final = "https://api.myanimelist.net/v2"
PAGE_SIZE: Final = 1_000  # the most that MyAnimeList gives at once
USERNAME_RULE: Final = UsernameRule(
    source=NAME,
    username_pattern=re.compile(r"[A-Za-z0-9_-]{1,64}"),
    description=mark("names there are letters, digits, - and _"),
    profile_hosts=("myanimelist.net",),
    profile_path="(?:profile|animelist|history)/",
)
# Titles, pictures and synopses come along, which saves asking for them one by one.
_FIELDS: Final = (
    "list_status{status,score,is_rewatching},synopsis,main_picture,alternative_titles,rating"
)


class MalPicture(BaseModel):
    """Addresses of one picture in its sizes."""

    medium: str | None = None
    large: str | None = None


class MalAnime(BaseModel):
    """An anime as MyAnimeList describes it."""

    id: int
    title: str | None = None
    main_picture: MalPicture | None = None  # some have none
    synopsis: str | None = None

    def to_details(self) -> AnimeDetails:
        """Return what a page shows of it."""
        picture = self.main_picture
        return AnimeDetails(
            self.id,
            allowed_picture_url(picture.medium or picture.large) if picture else None,
            synopsis_text(self.synopsis),
        )


def _number_to_text(value: object) -> object:
    """A title made of digits may arrive as a number."""
    return str(value) if isinstance(value, int | float) else value


class MalRow(BaseModel):
    """A row of a list with MyAnimeList's own numbers, as its pages and every Jikan write it."""

    anime_id: int = Field(
        validation_alias=AliasChoices("anime_id", AliasPath("anime", "mal_id"), "mal_id")
    )
    status: int = Field(validation_alias=AliasChoices("watching_status", "status"))
    score: float
    is_rewatching: bool | None = None
    title: Annotated[str | None, BeforeValidator(_number_to_text)] = Field(
        None, validation_alias=AliasChoices("anime_title", AliasPath("anime", "title"), "title")
    )

    def to_entry(self) -> ListEntry:
        """Return it as every source writes it."""
        status = MAL_STATUS_CODES.get(self.status)
        return normalize_entry(
            self.anime_id, status, self.score, self.title, rewatching=self.is_rewatching
        )


class _MalListItem(BaseModel):
    anime: MalAnime = Field(validation_alias="node")
    # Null has been seen where a user never chose one.
    status: str | None = Field(validation_alias=AliasPath("list_status", "status"))
    score: float = Field(validation_alias=AliasPath("list_status", "score"))
    is_rewatching: bool | None = Field(
        None, validation_alias=AliasPath("list_status", "is_rewatching")
    )


class _MalListPage(BaseModel):
    data: TolerantRows[_MalListItem]
    next_url: str | None = Field(None, validation_alias=AliasPath("paging", "next"))


class _MalError(BaseModel):
    error: str
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class MalReader(ListReader):
    """Lists on MyAnimeList from its API, asked with ``client_id`` or the fan's own token."""

    username_rule = USERNAME_RULE
    takes_token = True
    refusals: ClassVar = {404: UnknownUser}
    base_url: str = BASE_URL
    client_id: str

    def _read(self, reading: ListRead[_MalListItem]) -> AnimeList:
        whose = "@me" if self.token else quote(reading.username, safe="")
        url = f"{self.base_url}/users/{whose}/animelist"
        headers = {"X-MAL-CLIENT-ID": self.client_id}
        if self.token:
            headers = {"Authorization": f"Bearer {self.token}"}
        # Without nsfw=true ordinary shows are missing: the flag has many false positives.
        query = {"fields": _FIELDS, "nsfw": "true", "limit": str(PAGE_SIZE), "offset": "0"}
        while True:
            page = reading.get_page(_MalListPage, url, query, headers=headers)
            if not reading.add({row.anime.id: row for row in page.data}) or not page.next_url:
                break
            query |= reading.next_query(page.next_url, BASE_URL, "paging.next")
        rows = reading.found_rows()
        return AnimeList(
            source=SLUG,
            username=reading.username,
            entries=tuple(
                normalize_entry(
                    row.anime.id,
                    MAL_STATUS_NAMES.get(row.status or ""),
                    row.score,
                    row.anime.title,
                    rewatching=row.is_rewatching,
                )
                for row in rows
            ),
            details=tuple(row.anime.to_details() for row in rows),
        )

    def refusal(self, reading: ListRead[Any], reply: HttpResponse) -> ListError:
        """Return what an answer other than 200 stands for."""
        fault = try_parse_payload(_MalError, reply)
        said = f"{fault.error} {fault.message or ''}".strip() if fault else ""
        if self.token and reply.status == 401 and not is_html(reply):
            return reading.expired()
        if reply.status == 403 and not is_html(reply):
            if "dos" in said.casefold().split():
                return reading.error(RateLimited, retry_after=reply.retry_after())
            return reading.error(PrivateList, or_refused=True)
        return reading.refusal(reply, self.refusals, said)


PAGES_URL: Final = "https://myanimelist.net"
PAGES_SIZE: Final = 300
PAGES_SECONDS: Final = 60.0
"""Seconds for a whole list: pages are asked for one every two seconds."""
_ALL_STATUSES = "7"


@dataclass(frozen=True, kw_only=True)
class MalPagesReader(ListReader):
    """Lists on MyAnimeList from the JSON that a list page loads as it scrolls, which needs no key.

    It is undocumented, so it is asked slowly, one request at a time, and an operator may turn it
    off. The client's rate limit keeps the requests apart.
    """

    username_rule = USERNAME_RULE
    channel = ListChannel.LIST_PAGES
    # One answer stands for a name that is not there and for a list that is not shown.
    refusals: ClassVar = dict.fromkeys((400, 403, 404), NotFoundOrPrivate)
    base_url: str = PAGES_URL
    deadline_s: float = PAGES_SECONDS

    def _read(self, reading: ListRead[MalRow]) -> AnimeList:
        url = f"{self.base_url}/animelist/{quote(reading.username, safe='')}/load.json"
        offset = 0
        while True:
            query = {"offset": str(offset), "status": _ALL_STATUSES}
            rows = reading.get_page(list[MalRow], url, query)
            sent = len(rows) + reading.odd_on_page
            if not reading.add({row.anime_id: row for row in rows}) or sent < PAGES_SIZE:
                break
            offset += sent
        entries = tuple(row.to_entry() for row in reading.found_rows())
        return AnimeList(source=SLUG, username=reading.username, entries=entries)
