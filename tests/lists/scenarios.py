"""Names of the fans of the demo services that have something special (`demo.faults`)."""

from __future__ import annotations

from demo.data import EMPTY_USER, HUGE_USER, LONG_USER, DemoEntry
from demo.faults import FAULTY_USERNAMES, Fault
from demo.services.anilist import CHUNKED_USER, CUSTOM_LISTS_USER, ERROR_200_USER

__all__ = [
    "CHUNKED_USER",
    "CUSTOM_LISTS_USER",
    "EMPTY_USER",
    "ERROR_200_USER",
    "HUGE_USER",
    "LONG_USER",
]

_BY_FAULT = {fault: name for name, fault in FAULTY_USERNAMES.items()}

PRIVATE = _BY_FAULT[Fault.PRIVATE]
RATE_LIMITED = _BY_FAULT[Fault.LIMITED]
DOWN = _BY_FAULT[Fault.DOWN]
DISABLED = _BY_FAULT[Fault.REFUSED]
CHALLENGE = _BY_FAULT[Fault.CHALLENGE]
SLOW = _BY_FAULT[Fault.SLOW]
HANGING = _BY_FAULT[Fault.HANGING]
DRIPPING = _BY_FAULT[Fault.DRIPPING]
ENDLESS = _BY_FAULT[Fault.ENDLESS]
FLAKY = _BY_FAULT[Fault.FLAKY]
RECOVERING = _BY_FAULT[Fault.RECOVERING]
NOT_JSON = _BY_FAULT[Fault.GARBLED]
NO_LISTS = _BY_FAULT[Fault.NO_LISTS]
HTTP_MOVED = _BY_FAULT[Fault.MOVED]
LOOPING = _BY_FAULT[Fault.LOOPING]


def named(fault: Fault) -> str:
    """The fan who has this trouble."""
    return _BY_FAULT[fault]


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
