"""Any host that describes anime as Jikan 4 does (Tenrai, a Jikan of one's own), one a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, Field, TypeAdapter

from app.lists.entry import AnimeDetails
from app.lists.http_client import Deadline, SourceClient
from app.lists.normalize import allowed_picture_url, synopsis_text
from app.lists.payload import error_for_status, parse_payload

BATCH_SIZE: Final = 1


class _JikanImage(BaseModel):
    image_url: str | None = None


class _JikanImages(BaseModel):
    jpg: _JikanImage = _JikanImage()


class _JikanAnime(BaseModel):
    mal_id: int = Field(gt=0)
    images: _JikanImages = _JikanImages()
    synopsis: str | None = None


class _JikanAnimeResponse(BaseModel):
    data: _JikanAnime


_RESPONSE_ADAPTER: Final = TypeAdapter(_JikanAnimeResponse)


def fetch_details(
    anime_ids: Sequence[int], deadline: Deadline, *, client: SourceClient, base_url: str
) -> list[AnimeDetails]:
    """What the host knows of this one anime.

    Raises RateLimited or SourceDown.
    """
    (anime_id,) = anime_ids
    url = f"{base_url}/anime/{anime_id}"
    reply = client.send("GET", url, username="", deadline=deadline)
    if reply.status == 404:
        return []
    if reply.status != 200:
        raise error_for_status(reply, source=client.source, username="")
    anime = parse_payload(_RESPONSE_ADAPTER, reply, source=client.source, username="").data
    return [
        AnimeDetails(
            anime.mal_id,
            allowed_picture_url(anime.images.jpg.image_url),
            synopsis_text(anime.synopsis),
        )
    ]
