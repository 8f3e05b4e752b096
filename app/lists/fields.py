"""Small readings that every source shares."""

from __future__ import annotations

import math

TOP_SCORE = 10.0
# Longer than any real title; keeps one silly row from filling memory or a page.
MAX_TITLE = 500


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
