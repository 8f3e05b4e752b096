"""MyAnimeList's API v2: details of one anime a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter

from app.lists.entry import AnimeDetails
from app.lists.http_client import Deadline, SourceClient
from app.lists.myanimelist import NAME, MalAnime
from app.lists.payload import error_for_status, parse_payload

BATCH_SIZE: Final = 1

_ANIME_ADAPTER: Final = TypeAdapter(MalAnime)
_DETAILS_QUERY: Final = {"fields": "id,title,main_picture,synopsis", "nsfw": "true"}


def fetch_details(
    anime_ids: Sequence[int],
    deadline: Deadline,
    *,
    client: SourceClient,
    base_url: str,
    client_id: str,
) -> list[AnimeDetails]:
    """What MyAnimeList knows of this one anime.

    Raises RateLimited or SourceDown.
    """
    (anime_id,) = anime_ids
    reply = client.send(
        "GET",
        f"{base_url}/anime/{anime_id}",
        username="",
        deadline=deadline,
        params=_DETAILS_QUERY,
        headers={"X-MAL-CLIENT-ID": client_id},
    )
    if reply.status == 404:
        return []
    if reply.status != 200:
        raise error_for_status(reply, source=NAME, username="")
    return [parse_payload(_ANIME_ADAPTER, reply, source=NAME, username="").to_details()]
