"""Lists from a Jikan that the operator runs (or any host that speaks like it).

The public Jikan closed in October 2026 and none is built in. Jikan 4 nests the anime in each row,
Jikan 3 has flat rows; both shapes are read from either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlsplit

from pydantic import AliasChoices, BaseModel, Field

from app.lists import myanimelist
from app.lists.entry import AnimeList, ListChannel
from app.lists.errors import ListError, NotFoundOrPrivate, PrivateList, UnknownUser
from app.lists.http_client import HttpResponse
from app.lists.myanimelist import MalRow
from app.lists.payload import TolerantRows, try_parse_payload
from app.lists.reader import ListRead, ListReader
from app.lists.usernames import UsernameRule

SLUG: Final = "jikan"
NAME: Final = "Jikan"
USERNAME_RULE: Final[UsernameRule] = replace(myanimelist.USERNAME_RULE, source=NAME)
# Said by Jikan's router rather than by MyAnimeList: this host serves no lists at all.
_ROUTE_NOT_FOUND = "HttpException"


class _JikanListPage(BaseModel):
    entries: TolerantRows[MalRow] = Field(validation_alias=AliasChoices("data", "anime"))


class _JikanError(BaseModel):
    type: str = ""
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class JikanReader(ListReader):
    """Lists on MyAnimeList from a Jikan; ``slug`` is the source that it stands in for."""

    username_rule = USERNAME_RULE
    channel = ListChannel.JIKAN
    refusals: ClassVar = {404: UnknownUser, 403: PrivateList, 400: NotFoundOrPrivate}
    slug: str = SLUG

    def _read(self, reading: ListRead[MalRow]) -> AnimeList:
        for url, query in _page_urls(self.base_url, reading.username):
            rows = reading.get_page(_JikanListPage, url, query).entries
            # There is no word of how many pages there are: the first that brings nothing is the
            # end.
            if not reading.add({row.anime_id: row for row in rows}):
                break
        entries = tuple(row.to_entry() for row in reading.found_rows())
        return AnimeList(source=self.slug, username=reading.username, entries=entries)

    def refusal(self, reading: ListRead[Any], reply: HttpResponse) -> ListError:
        """Return what an answer other than 200 stands for."""
        fault = try_parse_payload(_JikanError, reply)
        said = f"{fault.type} {fault.message or ''}".strip() if fault else ""
        by_router = fault is not None and fault.type == _ROUTE_NOT_FOUND
        return reading.refusal(reply, {} if by_router else self.refusals, said)


def _page_urls(base_url: str, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Where the pages are, one after another."""
    user = quote(name, safe="")
    flat = urlsplit(base_url).path.rstrip("/").endswith("/v3")
    page = 0
    while True:
        page += 1
        if flat:
            yield f"{base_url}/user/{user}/animelist/all/{page}", {}
        else:
            yield f"{base_url}/users/{user}/animelist", {"page": str(page)}
