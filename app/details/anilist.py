"""AniList: details of fifty anime in one request, by MyAnimeList's ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

from app.lists.anilist import LOCAL_REFERER, NAME
from app.lists.entry import AnimeDetails
from app.lists.http_client import Deadline, SourceClient
from app.lists.normalize import allowed_picture_url, synopsis_text
from app.lists.payload import drop_nulls, error_for_status, parse_payload

BATCH_SIZE: Final = 50  # AniList's own maximum

_DETAILS_QUERY = """
query ($ids: [Int], $perPage: Int) {
  Page(perPage: $perPage) {
    media(idMal_in: $ids, type: ANIME) {
      idMal description(asHtml: false) coverImage { large }
    }
  }
}
"""


class _CoverImage(BaseModel):
    large: str | None = None


class _MediaDetails(BaseModel):
    id_mal: int = Field(alias="idMal")
    description: str | None = None
    cover: _CoverImage | None = Field(None, alias="coverImage")


class _MediaPage(BaseModel):
    media: Annotated[list[_MediaDetails], BeforeValidator(drop_nulls)]


class _MediaPageData(BaseModel):
    page: _MediaPage = Field(alias="Page")


class _MediaPageResponse(BaseModel):
    data: _MediaPageData


_RESPONSE_ADAPTER: Final = TypeAdapter(_MediaPageResponse)


def fetch_details(
    anime_ids: Sequence[int],
    deadline: Deadline,
    *,
    client: SourceClient,
    base_url: str,
    public_url: str | None = None,
) -> list[AnimeDetails]:
    """What AniList knows of these anime, at most `BATCH`; what it does not know is left out.

    Raises RateLimited or SourceDown.
    """
    variables = {"ids": list(anime_ids), "perPage": BATCH_SIZE}
    reply = client.send(
        "POST",
        base_url,
        username="",
        deadline=deadline,
        json={"query": _DETAILS_QUERY, "variables": variables},
        headers={"Referer": public_url or LOCAL_REFERER},
    )
    if reply.status != 200:
        raise error_for_status(reply, source=NAME, username="")
    answer = parse_payload(_RESPONSE_ADAPTER, reply, source=NAME, username="")
    return [
        AnimeDetails(
            media.id_mal,
            allowed_picture_url(media.cover.large if media.cover else None),
            synopsis_text(media.description),
        )
        for media in answer.data.page.media
    ]
