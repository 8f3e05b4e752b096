"""AniList: the whole public list of a user in one GraphQL request.

What its answers look like and what its errors mean was learnt from its documentation and from
clients in use; every answer is checked here, at the border, before the rest of the app sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AliasPath, BaseModel, BeforeValidator, Field

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import PrivateList, RateLimited, SourceDown, UnknownUser
from app.lists.http_client import HttpResponse
from app.lists.normalize import merge_split_titles, normalize_entry
from app.lists.payload import Rows, TolerantRows, drop_nulls
from app.lists.reader import ListRead, ListReader
from app.lists.usernames import UsernameRule
from app.recommender.watch_status import WatchStatus
from app.translation import mark

SLUG: Final = "anilist"
NAME: Final = "AniList"
BASE_URL: Final = "https://graphql.anilist.co"
WEB_URL: Final = "https://anilist.co"
# AniList turns away requests without a Referer. Ours says truthfully where the app runs; when the
# operator configured no public address, all that can be said is that it is not a public site.
LOCAL_REFERER: Final = "http://localhost/"
MAX_TOLD: Final = 3
CHUNK_SIZE: Final = 500  # AniList's own maximum

USERNAME_RULE: Final = UsernameRule(
    source=NAME,
    username_pattern=re.compile(r"[A-Za-z0-9]{2,20}"),
    description=mark("names there are 2 to 20 letters and digits"),
    profile_hosts=("anilist.co",),
    profile_path="user/",
)

# The score format must be asked for: the default is each user's own scale. Entries hidden from
# the status lists are in custom lists only, so all lists are read and repeats dropped by media id.
_LIST_QUERY = """
query ($name: String!, $chunk: Int, $perChunk: Int) {
  MediaListCollection(userName: $name, type: ANIME, forceSingleCompletedList: true,
                      chunk: $chunk, perChunk: $perChunk) {
    hasNextChunk
    user { name }
    lists { entries {
      status
      score(format: POINT_10_DECIMAL)
      media { id idMal title { userPreferred romaji english } }
    } }
  }
}
"""

_STATUS_MAP: Final[Mapping[str | None, WatchStatus]] = {
    "CURRENT": WatchStatus.WATCHING,
    "COMPLETED": WatchStatus.COMPLETED,
    "REPEATING": WatchStatus.COMPLETED,
    "PAUSED": WatchStatus.ON_HOLD,
    "DROPPED": WatchStatus.DROPPED,
    "PLANNING": WatchStatus.PLAN_TO_WATCH,
}


class _MediaTitle(BaseModel):
    user_preferred: str | None = Field(None, alias="userPreferred")
    romaji: str | None = None
    english: str | None = None


class _Media(BaseModel):
    id: int
    id_mal: int | None = Field(alias="idMal")
    title: _MediaTitle | None = None


class _MediaListEntry(BaseModel):
    status: str | None
    score: float | None
    media: _Media | None


class _MediaListGroup(BaseModel):
    entries: Annotated[TolerantRows[_MediaListEntry], BeforeValidator(drop_nulls)]


class _MediaListCollection(BaseModel):
    lists: Annotated[TolerantRows[_MediaListGroup], BeforeValidator(drop_nulls)]
    username: str | None = Field(None, validation_alias=AliasPath("user", "name"))
    has_next_chunk: bool | None = Field(None, alias="hasNextChunk")


class _GraphQLData(BaseModel):
    collection: _MediaListCollection | None = Field(alias="MediaListCollection")


class GraphQLError(BaseModel):
    """What AniList complains of."""

    message: str = ""
    status: int | None = None

    @property
    def refuses_token(self) -> bool:
        """Whether it is a token that is not accepted."""
        return self.message.casefold().rstrip(".") in ("invalid token", "unauthorized")


class _GraphQLResponse(BaseModel):
    data: _GraphQLData | None = None
    errors: Annotated[Rows[GraphQLError], BeforeValidator(drop_nulls)] = []


@dataclass(frozen=True, kw_only=True)
class AniListReader(ListReader):
    """Lists on AniList, in AniList's spelling of the name.

    ``anilist_to_mal`` stands in where AniList does not know MyAnimeList's id; what neither knows is
    counted in ``unmapped``.
    """

    username_rule = USERNAME_RULE
    takes_token = True
    base_url: str = BASE_URL
    public_url: str | None = None
    anilist_to_mal: Mapping[int, int]

    def _read(self, reading: ListRead[_MediaListEntry]) -> AnimeList:
        collection = self._ask(reading, None)
        reading.add(_entries_by_media(collection))
        # One request normally holds everything. Where it does not, AniList's own chunks are counted
        # from 1 again, because how an unnumbered answer relates to them is nowhere promised.
        chunk = 1
        while collection.has_next_chunk:
            if chunk > self.max_entries // CHUNK_SIZE + 1:
                raise reading.too_long()
            collection = self._ask(reading, chunk)
            if not reading.add(_entries_by_media(collection)) and chunk > 1:
                break  # a server that ignores chunk numbers would go on for ever
            chunk += 1
        rows = reading.found_rows()
        spelt = collection.username or reading.username
        mapped = list(_mapped_entries(rows, self.anilist_to_mal))
        entries = tuple(merge_split_titles(mapped).values())
        return AnimeList(SLUG, spelt, entries, unmapped=len(rows) - len(mapped))

    def _ask(self, reading: ListRead[_MediaListEntry], chunk: int | None) -> _MediaListCollection:
        variables: dict[str, object] = {"name": reading.username}
        if chunk is not None:
            variables |= {"chunk": chunk, "perChunk": CHUNK_SIZE}
        reading.report(1 + len(reading.rows) // CHUNK_SIZE)
        reply = reading.send(
            "POST",
            self.base_url,
            json={"query": _LIST_QUERY, "variables": variables},
            headers=request_headers(self.public_url, self.token),
        )
        return _parse_response(reading, reply)


def request_headers(public_url: str | None, token: str | None = None) -> dict[str, str]:
    """Return what AniList wants to be told; with the token of a fan, what is private is shown."""
    told = {"Referer": public_url or LOCAL_REFERER}
    return told | {"Authorization": f"Bearer {token}"} if token else told


def _entries_by_media(collection: _MediaListCollection) -> dict[int, _MediaListEntry]:
    """Return the first entry of each anime: it may be in several lists."""
    found: dict[int, _MediaListEntry] = {}
    for group in collection.lists:
        for entry in group.entries:
            if entry.media is not None:
                found.setdefault(entry.media.id, entry)
    return found


def _mapped_entries(
    rows: Iterable[_MediaListEntry], anilist_to_mal: Mapping[int, int]
) -> Iterator[ListEntry]:
    """Entries of anime that MyAnimeList has."""
    for row in rows:
        media, titles = row.media, row.media.title if row.media else None
        anime_id = (media.id_mal or anilist_to_mal.get(media.id)) if media else None
        if anime_id is not None:
            title = None
            if titles is not None:
                title = titles.user_preferred or titles.romaji or titles.english
            yield normalize_entry(anime_id, _STATUS_MAP.get(row.status), row.score, title)


def _parse_response(reading: ListRead[Any], reply: HttpResponse) -> _MediaListCollection:
    """Return the list in an answer, or the error that the answer stands for."""
    if reply.status == 429:
        raise reading.error(RateLimited, retry_after=reply.retry_after())
    answer = reading.parse(_GraphQLResponse, reply)
    # GraphQL reports errors with HTTP 200 too.
    for fault in answer.errors:
        message = fault.message.casefold()
        if fault.status == 429:
            raise reading.error(RateLimited, retry_after=reply.retry_after())
        if fault.refuses_token:
            raise reading.expired()
        if "private" in message:
            raise reading.error(PrivateList)
        if "user not found" in message:
            raise reading.error(UnknownUser)
    if reply.status != 200 or answer.errors:
        said = "; ".join(fault.message for fault in answer.errors[:MAX_TOLD])
        raise reading.refusal(reply, {}, said)
    if answer.data is None:
        raise reading.error(SourceDown, detail="HTTP 200, data: missing")
    if answer.data.collection is None:
        raise reading.error(SourceDown, detail="HTTP 200, data.MediaListCollection: null")
    return answer.data.collection
