"""Small readings that every source shares."""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from app.recommender.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

TOP_SCORE = 10.0
# Longer than any real title; keeps one silly row from filling memory or a page.
MAX_TITLE = 500
MAX_SYNOPSIS = 10_000
PICTURE_HOSTS: Final = ("cdn.myanimelist.net", "s4.anilist.co")

# MyAnimeList's numbers for a status. Its list pages and everything made from them use these.
MAL_CODES: Final[Mapping[int, Status]] = {
    1: Status.WATCHING,
    2: Status.COMPLETED,
    3: Status.ON_HOLD,
    4: Status.DROPPED,
    6: Status.PLAN_TO_WATCH,
}

_BREAK = re.compile(r"<br\s*/?>|</p>", re.I)
_TAG = re.compile(r"<[^>]{0,200}>")


def to_score(value: float | None) -> float | None:
    """A score on the 1..10 scale, or None when the fan gave none.

    Every service writes 0 for "no score". AniList's 100-point scale allows less than 1 of 10, which
    is a real (very low) score and counts as 1. Above 10 the scale is unknown, so nothing is read.
    """
    if value is None or math.isnan(value) or value <= 0 or value > TOP_SCORE:
        return None
    return max(1.0, float(value))


def to_title(value: str | None) -> str | None:
    """A title without outer blanks, None when there is nothing left."""
    return (value or "").strip()[:MAX_TITLE] or None


def to_picture(value: str | None) -> str | None:
    """The address of a picture, None when it is not on a host that our pages show pictures from."""
    if value is None or len(value) > MAX_TITLE:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme == "https" and parts.netloc in PICTURE_HOSTS else None


def to_synopsis(value: str | None) -> str | None:
    """A synopsis as plain text with single blank lines between paragraphs."""
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", (value or "")[:MAX_SYNOPSIS])))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return "\n\n".join(line for line in lines if line) or None
