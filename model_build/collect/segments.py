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


def bin_edges(scores: Float64Array) -> Float64Array:
    """Where the bins begin and end (4,): three of equal width from the lowest score to the highest.

    Each ends before the next begins; the last holds its end.
    """
    if not len(scores):
        return np.zeros(len(ACTIVITY_SEGMENTS) + 1)
    return np.linspace(scores.min(), scores.max(), len(ACTIVITY_SEGMENTS) + 1)


def assign_segments(scores: Float64Array) -> list[str]:
    """Return the segment of every user of (n,) scores; Low for all if all have the same."""
    if not len(scores) or scores.min() == scores.max():
        return [ACTIVITY_SEGMENTS[0]] * len(scores)
    place = np.searchsorted(bin_edges(scores)[1:-1], scores, side="right")
    return [ACTIVITY_SEGMENTS[at] for at in place.tolist()]


def add_segments(users: pl.DataFrame) -> pl.DataFrame:
    """Users with ``score`` and ``segment``, from ``life_spent_on_anime, ratings, favorites``."""
    weighed = (
        pl.col("life_spent_on_anime")
        + RATING_WEIGHT * pl.col("ratings")
        + FAVOURITE_WEIGHT * pl.col("favorites")
    )
    scored = users.with_columns(weighed.log().cast(pl.Float64).alias("score"))
    segments = assign_segments(scored["score"].to_numpy())
    return scored.with_columns(pl.Series("segment", segments, pl.String))
