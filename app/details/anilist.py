"""AniList: details of fifty anime in one request, by MyAnimeList's ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

from app.lists.anilist import LOCAL_REFERER, NAME
from app.lists.entry import Details
from app.lists.fields import to_picture, to_synopsis
from app.lists.http import Deadline, SourceClient
from app.lists.payload import read_payload, refusal, without_nulls

BATCH: Final = 50  # AniList's own maximum

_QUERY = """
query ($ids: [Int], $perPage: Int) {
  Page(perPage: $perPage) {
    media(idMal_in: $ids, type: ANIME) {
      idMal description(asHtml: false) coverImage { large }
    }
  }
}
"""


class _Cover(BaseModel):
    large: str | None = None


class _Media(BaseModel):
    id_mal: int = Field(alias="idMal")
    description: str | None = None
    cover: _Cover | None = Field(None, alias="coverImage")


class _Page(BaseModel):
    media: Annotated[list[_Media], BeforeValidator(without_nulls)]


class _Data(BaseModel):
    page: _Page = Field(alias="Page")


class _Answer(BaseModel):
    data: _Data


_ANSWER: Final = TypeAdapter(_Answer)


def fetch(
    anime_ids: Sequence[int],
    deadline: Deadline,
    *,
    client: SourceClient,
    base_url: str,
    public_url: str | None = None,
) -> list[Details]:
    """What AniList knows of these anime, at most `BATCH`; what it does not know is left out.

    Raises RateLimited or SourceDown.
    """
    variables = {"ids": list(anime_ids), "perPage": BATCH}
    reply = client.send(
        "POST",
        base_url,
        username="",
        deadline=deadline,
        json={"query": _QUERY, "variables": variables},
        headers={"Referer": public_url or LOCAL_REFERER},
    )
    if reply.status != 200:
        raise refusal(reply, source=NAME, username="")
    answer = read_payload(_ANSWER, reply, source=NAME, username="")
    return [
        Details(
            media.id_mal,
            to_picture(media.cover.large if media.cover else None),
            to_synopsis(media.description),
        )
        for media in answer.data.page.media
    ]
