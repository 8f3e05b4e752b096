"""The states of a list entry."""

from __future__ import annotations

from enum import IntEnum


class WatchStatus(IntEnum):
    """Where an anime stands on a user's list, in MyAnimeList's own codes."""

    UNKNOWN = 0
    WATCHING = 1
    COMPLETED = 2
    ON_HOLD = 3
    DROPPED = 4
    PLAN_TO_WATCH = 6

    @property
    def slug(self) -> str:
        """The name used in the JSON API, such as ``plan_to_watch``."""
        return self.name.lower()
