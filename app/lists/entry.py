"""The one shape that every list source produces."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.recommender.status import Status


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One anime on a fan's list.

    ``anime_id`` is MyAnimeList's id. ``score`` is 1..10 (fractions allowed), None when the fan gave
    none. ``title`` is what the source calls it, if it says.
    """

    anime_id: int
    status: Status
    score: float | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class FanList:
    """A whole list as fetched or uploaded.

    ``unmapped`` counts entries that have no MyAnimeList id and so cannot be used.
    """

    source: str
    username: str | None
    entries: tuple[ListEntry, ...] = field(repr=False)
    unmapped: int = 0
