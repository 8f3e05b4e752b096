"""Any host that describes anime as Jikan 4 does (Tenrai, a Jikan of one's own), one a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, Field, TypeAdapter

from app.lists.entry import Details
from app.lists.fields import to_picture, to_synopsis
from app.lists.http import Deadline, SourceClient
from app.lists.payload import read_payload, refusal

BATCH: Final = 1


class _Image(BaseModel):
    image_url: str | None = None


class _Images(BaseModel):
    jpg: _Image = _Image()


class _Anime(BaseModel):
    mal_id: int = Field(gt=0)
    images: _Images = _Images()
    synopsis: str | None = None


class _Answer(BaseModel):
    data: _Anime


_ANSWER: Final = TypeAdapter(_Answer)


def fetch(
    anime_ids: Sequence[int], deadline: Deadline, *, client: SourceClient, base_url: str
) -> list[Details]:
    """What the host knows of this one anime.

    Raises RateLimited or SourceDown.
    """
    (anime_id,) = anime_ids
    url = f"{base_url}/anime/{anime_id}"
    reply = client.send("GET", url, username="", deadline=deadline)
    if reply.status == 404:
        return []
    if reply.status != 200:
        raise refusal(reply, source=client.source, username="")
    anime = read_payload(_ANSWER, reply, source=client.source, username="").data
    return [
        Details(anime.mal_id, to_picture(anime.images.jpg.image_url), to_synopsis(anime.synopsis))
    ]
