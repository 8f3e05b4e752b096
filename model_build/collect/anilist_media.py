"""Pictures and relations of anime from AniList, for a table that lacks them.

Every answer is kept with the ids it was asked for, so that a stopped collection goes on, and no
anime is asked for twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl
from pydantic import AliasPath, BaseModel, Field

from app.lists.anilist import LOCAL_REFERER
from app.pictures import standard_picture_url
from model_build.collect.client import RESUME_HINT, JsonClient, RequestFailed, RequestRejected
from model_build.collect.response_cache import ResponseCache
from model_build.data.relations import add_relations, parse_anilist_relations
from model_build.util.errors import InputError

MEDIA_PER_REQUEST: Final = 50
"""AniList's own maximum."""
PAGE_KIND = "media"
_QUERY: Final = """
query ($ids: [Int], $perPage: Int) {
  Page(perPage: $perPage) {
    media(idMal_in: $ids, type: ANIME) {
      idMal
      coverImage { extraLarge large }
      relations { edges { relationType(version: 2) node { idMal type } } }
    }
  }
}
"""


class _Answer(BaseModel):
    media: list[dict[str, Any] | None] = Field(validation_alias=AliasPath("data", "Page", "media"))


def order_by_need(catalogue: pl.DataFrame) -> list[int]:
    """Return the anime without a picture, then those without relations; the best known first."""
    empty = pl.lit(None, pl.String)
    picture, relations, members = (
        pl.col(name) if name in catalogue.columns else empty.alias(name)
        for name in ("picture", "relations", "members")
    )
    needy = catalogue.select(
        "anime_id",
        picture.is_null().alias("bare"),
        relations.is_null().alias("single"),
        members.cast(pl.Float64, strict=False).fill_null(0).alias("members"),
    ).filter(pl.col("bare") | pl.col("single"))
    ordered = needy.sort("bare", "members", "anime_id", descending=[True, True, False])
    return ordered["anime_id"].cast(pl.Int64).to_list()


def collect_media(
    anime_ids: Sequence[int],
    client: JsonClient,
    url: str,
    responses: ResponseCache,
    *,
    max_requests: int,
    public_url: str | None = None,
) -> list[dict[str, Any]]:
    """Return all media that were ever collected, after asking for some of these anime.

    Asked are at most ``max_requests`` times 50 that were not asked for before, in the order given.
    """
    pages = _kept_pages(responses)
    asked = {anime_id for page in pages for anime_id in page["ids"]}
    wanted = [anime_id for anime_id in anime_ids if anime_id not in asked]
    number = responses.count(PAGE_KIND)
    for start in range(0, min(len(wanted), max_requests * MEDIA_PER_REQUEST), MEDIA_PER_REQUEST):
        ids = wanted[start : start + MEDIA_PER_REQUEST]
        page = {"ids": ids, "media": _request_media(ids, client, url, public_url)}
        responses.put(f"{PAGE_KIND}/{number + start // MEDIA_PER_REQUEST}", page)
        pages.append(page)
    return [media for page in pages for media in page["media"]]


def _kept_pages(responses: ResponseCache) -> list[dict[str, Any]]:
    """Return the answers that are kept; what a disk has damaged is asked for again."""
    names = (f"{PAGE_KIND}/{number}" for number in range(responses.count(PAGE_KIND)))
    return [page for page in map(responses.get, names) if page is not None]


def _request_media(
    ids: Sequence[int], client: JsonClient, url: str, public_url: str | None
) -> list[dict[str, Any]]:
    body = {"query": _QUERY, "variables": {"ids": list(ids), "perPage": MEDIA_PER_REQUEST}}
    headers = {"Referer": public_url or LOCAL_REFERER}
    while True:
        try:
            answer = client.post_json(url, body, headers, _Answer)
        except RequestFailed:
            continue  # It has waited, and ends by itself when there were too many.
        except RequestRejected as error:
            raise InputError(f"AniList refuses (HTTP {error.status}): {RESUME_HINT}.") from None
        return [media for media in answer.media if media is not None]


def add_pictures_and_relations(
    catalogue: pl.DataFrame, media: Iterable[Mapping[str, Any]]
) -> pl.DataFrame:
    """Fill in pictures where there are none, and add relations, of what was collected."""
    collected = list(media)
    urls = {each.get("idMal"): _picture_url(each) for each in collected}
    pictures = catalogue["picture"] if "picture" in catalogue.columns else [None] * len(catalogue)
    filled = [
        picture or urls.get(anime_id)
        for anime_id, picture in zip(catalogue["anime_id"], pictures, strict=True)
    ]
    catalogue = catalogue.with_columns(pl.Series("picture", filled, pl.String))
    return add_relations(
        catalogue, (found for each in collected for found in parse_anilist_relations(each))
    )


def _picture_url(media: Mapping[str, Any]) -> str | None:
    cover = media.get("coverImage") or {}
    found = (standard_picture_url(cover.get(size)) for size in ("extraLarge", "large"))
    return next(filter(None, found), None)
