"""Picks: a short list made by hand, kept in an address and nowhere else.

``1-9.19-10.20-0`` is anime 1 with score 9, anime 19 with score 10, and anime 20 without a score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.lists.entry import AnimeList, ListEntry
from app.recommender import WatchStatus
from app.web.requests.query import InvalidQuery

PICKS_SLUG = "picks"
MAX_PICKS = 200
"""More would not fit into an address everywhere."""

_PICK_PATTERN = re.compile(r"([1-9][0-9]{0,8})-(10|[0-9])")


def parse_picks(text: str) -> dict[int, int]:
    """Score by anime id, 0 for none.

    Raises:
        BadQuery: the text is not a list of picks.
    """
    picks: dict[int, int] = {}
    for part in text.split(".") if text else ():
        found = _PICK_PATTERN.fullmatch(part)
        if found is None:
            raise InvalidQuery("picks", "The picks in this address are damaged: start over.")
        picks[int(found[1])] = int(found[2])
    if len(picks) > MAX_PICKS:
        raise InvalidQuery("picks", f"Up to {MAX_PICKS} picks fit into an address: remove some.")
    return picks


def format_picks(picks: Mapping[int, int]) -> str:
    """The picks as `read_picks` reads them."""
    return ".".join(f"{anime_id}-{score}" for anime_id, score in picks.items())


def picks_to_anime_list(picks: Mapping[int, int]) -> AnimeList:
    """The picks as a fan's list."""
    entries = tuple(
        ListEntry(anime_id, WatchStatus.COMPLETED, float(score) or None)
        for anime_id, score in picks.items()
    )
    return AnimeList(PICKS_SLUG, None, entries)
