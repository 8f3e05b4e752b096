"""The states of a list entry, and what each says about the fan.

One table decides what counts as seen and what counts as a rating, so that the web page, the API,
the command line and the offline evaluation can never disagree.
"""

from __future__ import annotations

from enum import IntEnum


class WatchStatus(IntEnum):
    """Where an anime stands on a fan's list, in MyAnimeList's own codes."""

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
