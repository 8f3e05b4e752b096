"""Picks: a short list made by hand, kept in an address and nowhere else.

``1-9.19-10.20-0`` is anime 1 with score 9, anime 19 with score 10, and anime 20 without a score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.lists.entry import FanList, ListEntry
from app.recommender import Status
from app.web.options import BadQuery

SLUG = "picks"
MOST = 200
"""More would not fit into an address everywhere."""

_PICK = re.compile(r"([1-9][0-9]{0,8})-(10|[0-9])")


def read_picks(text: str) -> dict[int, int]:
    """Score by anime id, 0 for none.

    Raises:
        BadQuery: the text is not a list of picks.
    """
    picks: dict[int, int] = {}
    for part in text.split(".") if text else ():
        found = _PICK.fullmatch(part)
        if found is None:
            raise BadQuery("picks", "The picks in this address are damaged: start over.")
        picks[int(found[1])] = int(found[2])
    if len(picks) > MOST:
        raise BadQuery("picks", f"Up to {MOST} picks fit into an address: remove some.")
    return picks


def write_picks(picks: Mapping[int, int]) -> str:
    """The picks as `read_picks` reads them."""
    return ".".join(f"{anime_id}-{score}" for anime_id, score in picks.items())


def as_list(picks: Mapping[int, int]) -> FanList:
    """The picks as a fan's list."""
    entries = tuple(
        ListEntry(anime_id, Status.COMPLETED, float(score) or None)
        for anime_id, score in picks.items()
    )
    return FanList(SLUG, None, entries)
