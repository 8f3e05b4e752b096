"""MyAnimeList's API v2: details of one anime a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter

from app.lists.entry import Details
from app.lists.http import Deadline, SourceClient
from app.lists.myanimelist import NAME, Node
from app.lists.payload import read_payload, refusal

BATCH: Final = 1

_NODE: Final = TypeAdapter(Node)
_QUERY: Final = {"fields": "id,title,main_picture,synopsis", "nsfw": "true"}


def fetch(
    anime_ids: Sequence[int],
    deadline: Deadline,
    *,
    client: SourceClient,
    base_url: str,
    client_id: str,
) -> list[Details]:
    """What MyAnimeList knows of this one anime.

    Raises RateLimited or SourceDown.
    """
    (anime_id,) = anime_ids
    reply = client.send(
        "GET",
        f"{base_url}/anime/{anime_id}",
        username="",
        deadline=deadline,
        params=_QUERY,
        headers={"X-MAL-CLIENT-ID": client_id},
    )
    if reply.status == 404:
        return []
    if reply.status != 200:
        raise refusal(reply, source=NAME, username="")
    return [read_payload(_NODE, reply, source=NAME, username="").details()]
