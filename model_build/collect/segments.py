"""Segments: how much users do, in three bins of equal width.

The score is ln(minutes spent on anime + 1.25 ratings + 1.5 favourites), so that a bin holds those
whose activity is of one order of magnitude. Users with no time and no ratings have none.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from app.recommender.array_types import Float64Array
from model_build.collect.config import ACTIVITY_SEGMENTS as ACTIVITY_SEGMENTS

RATING_WEIGHT, FAVOURITE_WEIGHT = 1.25, 1.5


def activity_score(
    minutes: Float64Array, ratings: Float64Array, favourites: Float64Array
) -> Float64Array:
    """Return the scores (n,) of n users with some time or ratings."""
    return np.log(minutes + RATING_WEIGHT * ratings + FAVOURITE_WEIGHT * favourites)


def bin_edges(scores: Float64Array) -> Float64Array:
    """Where the bins begin and end (4,): three of equal width from the lowest score to the highest.

    Each ends before the next begins; the last holds its end.
    """
    if not len(scores):
        return np.zeros(len(ACTIVITY_SEGMENTS) + 1)
    return np.linspace(scores.min(), scores.max(), len(ACTIVITY_SEGMENTS) + 1)


def assign_segments(scores: Float64Array) -> list[str]:
    """Return the segment of every user; Low for all if all have the same score."""
    if not len(scores) or scores.min() == scores.max():
        return [ACTIVITY_SEGMENTS[0]] * len(scores)
    place = np.searchsorted(bin_edges(scores)[1:-1], scores, side="right")
    return [ACTIVITY_SEGMENTS[at] for at in place.tolist()]


def add_segments(users: pl.DataFrame) -> pl.DataFrame:
    """Users with ``score`` and ``segment``, from ``life_spent_on_anime, ratings, favorites``."""
    counts = (
        users[name].cast(pl.Float64).to_numpy()
        for name in ("life_spent_on_anime", "ratings", "favorites")
    )
    scores = activity_score(*counts)
    return users.with_columns(
        pl.Series("score", scores, pl.Float64),
        pl.Series("segment", assign_segments(scores), pl.String),
    )
