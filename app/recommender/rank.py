"""Which anime may be shown, and in which order."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.knn_baseline import KnnPrediction
from app.recommender.model import Model

MIN_RATINGS = 30
"""Ratings that an anime needs before a predicted score may put it at the top: with fewer, its own
bias is mostly noise."""
MIN_NEIGHBOURS = 3
"""Entries of the fan's list that a predicted score must rest on (fewer if the list is shorter)."""
TIER_OFFSET = 1000.0
"""More than any two predicted scores differ by."""
RARE_ITEM_LISTS = 10
"""Lists that an anime must be on for affinities of its own; one on fewer has at most what its facts
tell (`model_build.train.cold_start`)."""
POPULARITY_EXPONENT = 0.35
"""How strongly `discover` holds popularity against an anime: a match is divided by this power of
the number of lists that the anime is on. Chosen so that a page still fits (`docs/model.md`)."""


class SortOrder(StrEnum):
    """What the recommendations are sorted by."""

    MATCH = "match"
    SCORE = "score"
    DISCOVER = "discover"


def support_sort_key(model: Model, knn_prediction: KnnPrediction) -> Float64Array:
    """Predicted scores as a sort key, (n,): those that rest on enough come first.

    Behind them, so that a short list still fills a page, come the anime with ratings enough, and
    last the rest; each group sorted by predicted score.
    """
    needed = min(MIN_NEIGHBOURS, len(knn_prediction.neighbourhood.entry_position))
    rated = model.rating_count >= MIN_RATINGS
    supported = rated & (knn_prediction.neighbourhood.neighbour_count >= needed)
    return tiered_sort_key(knn_prediction.score, 2 - supported.astype(np.int64) - rated)


def tiered_sort_key(
    score: Float64Array, tiers: npt.NDArray[np.integer] | BoolArray
) -> Float64Array:
    """Scores as a sort key, (n,): group 0 first, each group sorted by score."""
    return np.asarray(score - TIER_OFFSET * tiers)


def novelty_sort_key(model: Model, match: Float64Array) -> Float64Array:
    """Matches as a sort key that favours what few have on their lists, (n,)."""
    popularity = np.maximum(model.entry_count, MIN_RATINGS) / MIN_RATINGS
    return np.where(match > 0, match * popularity**-POPULARITY_EXPONENT, match)


def candidate_mask(
    model: Model, profile: UserProfile, *, include_planned: bool = False
) -> BoolArray:
    """Everything the fan has not seen, and, unless asked for, not planned either, (n,) bool."""
    allowed = np.ones(len(model), bool)
    allowed[profile.seen] = False
    if not include_planned:
        allowed[profile.planned] = False
    return allowed


def top_items(value: Float64Array, allowed: BoolArray, count: int) -> Int64Array:
    """Int64Array of the ``count`` largest values where allowed, best first; ties by anime id."""
    where = np.flatnonzero(allowed)
    if count < len(where):
        # All that equal the last place come along, so that the sort decides between them.
        place = len(where) - count
        where = where[value[where] >= np.partition(value[where], place)[place]]
    return where[np.argsort(-value[where], kind="stable")][:count]
