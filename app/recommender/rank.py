"""Which anime may be shown, and in which order."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int64Array, IntArray
from app.recommender.fold_in import UserProfile
from app.recommender.franchise import Franchises
from app.recommender.knn_baseline import KnnPrediction
from app.recommender.model import Model

TIER_OFFSET = 1000.0
"""More than any two predicted scores differ by."""


class SortOrder(StrEnum):
    """What the recommendations are sorted by."""

    MATCH = "match"
    SCORE = "score"
    DISCOVER = "discover"


def support_sort_key(
    model: Model, knn_prediction: KnnPrediction, affinity: Float64Array
) -> Float64Array:
    """Predicted scores as a sort key, (n,): those that rest on enough come first.

    They are also of anime that the user might pick, with an ``affinity`` (n,) of at least
    ``min_affinity``: a special that nobody would look for is predicted to be liked, too. Behind
    them, so that a short list still fills a page, come the anime with ratings enough, and last the
    rest; each group sorted by predicted score.
    """
    parameters = model.parameters
    needed = min(parameters.min_neighbours, len(knn_prediction.neighbourhood.entry_position))
    rated = model.rating_count >= parameters.min_ratings
    supported = rated & (knn_prediction.neighbourhood.neighbour_count >= needed)
    supported &= affinity >= parameters.min_affinity
    return tiered_sort_key(knn_prediction.score, 2 - supported.astype(np.int64) - rated)


def tiered_sort_key(score: Float64Array, tiers: IntArray | BoolArray) -> Float64Array:
    """Scores as a sort key, (n,): group 0 first, each group sorted by score."""
    return np.asarray(score - TIER_OFFSET * tiers)


def novelty_sort_key(model: Model, match: Float64Array) -> Float64Array:
    """Return matches as a sort key that favours what few know, (n,)."""
    popularity = model.relative_popularity
    return np.where(match > 0, match * popularity**-model.parameters.popularity_exponent, match)


def little_known_mask(model: Model, franchises: Franchises | None) -> BoolArray:
    """What may be a hidden gem, (n,): nothing that many know, and no part of what many know.

    Many are more than ``discover_max_members``; without members nothing is known. Without
    franchises each anime is for itself. What is on fewer than ``rare_item_lists`` lists is left
    out: a gem is what somebody found.
    """
    most, popularity = model.parameters.discover_max_members, model.popularity
    found = model.entry_count >= model.parameters.rare_item_lists
    if not most or not model.item_members.any():
        return np.asarray(found)
    known = popularity > most
    if franchises is not None:
        known |= franchises.same_franchise_mask(np.flatnonzero(known))
    return np.asarray(found & ~known)


def candidate_mask(
    model: Model, profile: UserProfile, *, include_planned: bool = False
) -> BoolArray:
    """Everything the user has not seen, and, unless asked for, not planned either, (n,) bool."""
    allowed = np.ones(len(model), bool)
    allowed[profile.seen] = False
    if not include_planned:
        allowed[profile.planned] = False
    return allowed


def top_items(value: Float64Array, allowed: BoolArray, count: int, offset: int = 0) -> Int64Array:
    """Positions of the ``count`` largest of (n,) where allowed, best first; ties by anime id.

    The first ``offset`` of them are left out.
    """
    where = np.flatnonzero(allowed)
    count += offset
    if count < len(where):
        # All that equal the last place come along, so that the sort decides between them.
        place = len(where) - count
        where = where[value[where] >= np.partition(value[where], place)[place]]
    return where[np.argsort(-value[where], kind="stable")][offset:count]
