"""Names of the fans of the demo services that have something special (`demo.faults`)."""

from __future__ import annotations

from demo.data import EMPTY_USER, HUGE_USER, LONG_USER, DemoEntry
from demo.faults import Fault
from demo.services.anilist import CHUNKED_USER, CUSTOM_LISTS_USER, ERROR_200_USER

__all__ = [
    "CHUNKED_USER",
    "CUSTOM_LISTS_USER",
    "EMPTY_USER",
    "ERROR_200_USER",
    "HUGE_USER",
    "LONG_USER",
]

PRIVATE = Fault.PRIVATE.value
RATE_LIMITED = Fault.LIMITED.value
DOWN = Fault.DOWN.value
DISABLED = Fault.REFUSED.value
CHALLENGE = Fault.CHALLENGE.value
SLOW = Fault.SLOW.value
HANGING = Fault.HANGING.value
DRIPPING = Fault.DRIPPING.value
ENDLESS = Fault.ENDLESS.value
FLAKY = Fault.FLAKY.value
RECOVERING = Fault.RECOVERING.value
NOT_JSON = Fault.GARBLED.value
NO_LISTS = Fault.NO_LISTS.value
HTTP_MOVED = Fault.MOVED.value
LOOPING = Fault.LOOPING.value


def named(fault: Fault) -> str:
    """The fan who has this trouble."""
    return fault.value


def entry(
    media_id: int,
    mal_id: int | None,
    *,
    score: float = 0,
    status: str = "COMPLETED",
    title: str | None = None,
) -> DemoEntry:
    """A list entry on AniList, with the status in AniList's words."""
    return DemoEntry(mal_id, score, status, media_id=media_id, name=title)
