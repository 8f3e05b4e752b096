"""How each service is asked for details: a class a service."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, TypeVar

from pydantic import AliasPath, BaseModel, BeforeValidator, Field

from app.lists.anilist import LOCAL_REFERER
from app.lists.deadline import Deadline
from app.lists.entry import AnimeDetails, StreamingLink
from app.lists.http_client import HttpResponse, SourceClient
from app.lists.myanimelist import MalAnime
from app.lists.normalize import (
    MAX_NAME_LENGTH,
    allowed_picture_url,
    normalize_title,
    safe_link,
    synopsis_text,
)
from app.lists.payload import Rows, drop_nulls, error_for_status, parse_payload
from app.upstream import ServiceBreaker

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class DetailsClient(ABC):
    """Asks one service at ``base_url`` for details of ``batch_size`` anime at a time."""

    batch_size: ClassVar[int] = 1

    client: SourceClient
    base_url: str
    circuit_breaker: ServiceBreaker

    @abstractmethod
    def read(self, anime_ids: Sequence[int], deadline: Deadline) -> list[AnimeDetails]:
        """Return what the service knows of at most ``batch_size`` anime; others are left out.

        Raises ListError: RateLimited or SourceDown.
        """


def _parse_answer(kind: type[T], reply: HttpResponse) -> T:
    if reply.status != 200:
        raise error_for_status(reply)
    return parse_payload(kind, reply)


_ANILIST_QUERY: Final = """
query ($ids: [Int], $perPage: Int) {
  Page(perPage: $perPage) {
    media(idMal_in: $ids, type: ANIME) {
      idMal description(asHtml: false) coverImage { large }
      trailer { id site } externalLinks { site url type isDisabled }
    }
  }
}
"""


_TRAILER_SITES: Final = {
    "youtube": "https://www.youtube.com/watch?v=",
    "dailymotion": "https://www.dailymotion.com/video/",
}
_TRAILER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_STREAMING_LINKS = 12


class _Trailer(BaseModel):
    id: str | None = None
    site: str | None = None

    def url(self) -> str | None:
        base = _TRAILER_SITES.get(self.site or "")
        return base + self.id if base and self.id and _TRAILER_ID.fullmatch(self.id) else None


class _ExternalLink(BaseModel):
    site: str | None = None
    url: str | None = None
    type: str | None = None
    is_disabled: bool | None = Field(None, alias="isDisabled")


class _MediaDetails(BaseModel):
    id_mal: int = Field(alias="idMal")
    description: str | None = None
    picture: str | None = Field(None, validation_alias=AliasPath("coverImage", "large"))
    trailer: _Trailer | None = None
    links: Annotated[list[_ExternalLink], BeforeValidator(drop_nulls)] = Field(
        [], alias="externalLinks"
    )

    def streaming(self) -> tuple[StreamingLink, ...]:
        """Where it can be watched, a link a site."""
        found: dict[str, StreamingLink] = {}
        for link in self.links:
            site, url = normalize_title(link.site), safe_link(link.url)
            if link.type == "STREAMING" and not link.is_disabled and site and url:
                found.setdefault(site, StreamingLink(site[:MAX_NAME_LENGTH], url))
        return tuple(found.values())[:MAX_STREAMING_LINKS]


class _MediaPage(BaseModel):
    media: Annotated[Rows[_MediaDetails], BeforeValidator(drop_nulls)] = Field(
        validation_alias=AliasPath("data", "Page", "media")
    )


@dataclass(frozen=True, kw_only=True)
class AniListDetailsClient(DetailsClient):
    """AniList: fifty anime in one request, by MyAnimeList's ids."""

    batch_size = 50  # AniList's own maximum
    public_url: str | None = None

    def read(self, anime_ids: Sequence[int], deadline: Deadline) -> list[AnimeDetails]:
        """Return what AniList knows of these anime."""
        variables = {"ids": list(anime_ids), "perPage": self.batch_size}
        reply = self.client.send(
            "POST",
            self.base_url,
            username="",
            deadline=deadline,
            json={"query": _ANILIST_QUERY, "variables": variables},
            headers={"Referer": self.public_url or LOCAL_REFERER},
        )
        return [
            AnimeDetails(
                media.id_mal,
                allowed_picture_url(media.picture),
                synopsis_text(media.description),
                media.trailer.url() if media.trailer else None,
                media.streaming(),
            )
            for media in _parse_answer(_MediaPage, reply).media
        ]


_MAL_QUERY: Final = {"fields": "id,title,main_picture,synopsis", "nsfw": "true"}


@dataclass(frozen=True, kw_only=True)
class MalDetailsClient(DetailsClient):
    """MyAnimeList's API v2: one anime a request."""

    client_id: str

    def read(self, anime_ids: Sequence[int], deadline: Deadline) -> list[AnimeDetails]:
        """Return what MyAnimeList knows of this one anime."""
        (anime_id,) = anime_ids
        url, headers = f"{self.base_url}/anime/{anime_id}", {"X-MAL-CLIENT-ID": self.client_id}
        reply = self.client.send(
            "GET", url, username="", deadline=deadline, params=_MAL_QUERY, headers=headers
        )
        return [] if reply.status == 404 else [_parse_answer(MalAnime, reply).to_details()]


class _JikanAnime(BaseModel):
    mal_id: int = Field(validation_alias=AliasPath("data", "mal_id"))
    picture: str | None = Field(
        None, validation_alias=AliasPath("data", "images", "jpg", "image_url")
    )
    synopsis: str | None = Field(None, validation_alias=AliasPath("data", "synopsis"))


@dataclass(frozen=True, kw_only=True)
class JikanDetailsClient(DetailsClient):
    """Any host that describes anime as Jikan 4 does (Tenrai, one's own Jikan): one a request."""

    def read(self, anime_ids: Sequence[int], deadline: Deadline) -> list[AnimeDetails]:
        """Return what the host knows of this one anime."""
        (anime_id,) = anime_ids
        url = f"{self.base_url}/anime/{anime_id}"
        reply = self.client.send("GET", url, username="", deadline=deadline)
        if reply.status == 404:
            return []
        anime = _parse_answer(_JikanAnime, reply)
        picture = allowed_picture_url(anime.picture)
        return [AnimeDetails(anime.mal_id, picture, synopsis_text(anime.synopsis))]
