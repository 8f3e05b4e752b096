"""Segments: how much users do, in three bins of equal width.

The score is ln(minutes spent on anime + 1.25 ratings + 1.5 favourites), so that a bin holds those
whose activity is of one order of magnitude. Users with no time and no ratings have none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

SEGMENTS = ("Low", "Medium", "High")
A_RATING, A_FAVOURITE = 1.25, 1.5

Floats = npt.NDArray[np.float64]


def interaction_score(minutes: Floats, ratings: Floats, favourites: Floats) -> Floats:
    """The scores (n,) of n users with some time or ratings."""
    return np.log(minutes + A_RATING * ratings + A_FAVOURITE * favourites)


def edges(scores: Floats) -> Floats:
    """Where the bins begin and end (4,): three of equal width from the lowest score to the highest.

    Each ends before the next begins; the last holds its end.
    """
    if not len(scores):
        return np.zeros(len(SEGMENTS) + 1)
    return np.linspace(scores.min(), scores.max(), len(SEGMENTS) + 1)


def segments_of(scores: Floats) -> list[str]:
    """The segment of every user; Low for all if all have the same score."""
    if not len(scores) or scores.min() == scores.max():
        return [SEGMENTS[0]] * len(scores)
    place = np.searchsorted(edges(scores)[1:-1], scores, side="right")
    return [SEGMENTS[at] for at in place.tolist()]


def with_segments(users: pl.DataFrame) -> pl.DataFrame:
    """Users with ``score`` and ``segment``, from ``life_spent_on_anime, ratings, favorites``."""
    counts = (
        users[name].cast(pl.Float64).to_numpy()
        for name in ("life_spent_on_anime", "ratings", "favorites")
    )
    scores = interaction_score(*counts)
    return users.with_columns(
        pl.Series("score", scores, pl.Float64), pl.Series("segment", segments_of(scores), pl.String)
    )


def chosen_segments(text: str) -> tuple[str, ...]:
    """Segments named in an option such as ``Medium,High``, in any case.

    Raises:
        ValueError: one is not known, or none is named.
    """
    known = {name.casefold(): name for name in SEGMENTS}
    names: Sequence[str] = [part.strip().casefold() for part in text.split(",") if part.strip()]
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        raise ValueError(f"{text!r} is not some of {', '.join(SEGMENTS)}, with commas between")
    return tuple(name for name in SEGMENTS if name.casefold() in names)
