"""EASE^R (Steck, WWW 2019): the linear item-item model with a zero diagonal, in closed form.

With P = (X'X + lambda I)^-1 the weights are B_ij = -P_ij / P_jj for i != j and 0 on the diagonal; a
list x is scored x B. Dense here, as published: Hakken's own affinity is not used.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import inv
from scipy.sparse import csr_array

from app.recommender import UserList
from app.recommender.array_types import Float32Array, Float64Array
from model_build.data.ratings import Ratings
from model_build.evaluate.reference_models.base import (
    BaselineEstimates,
    ItemScorer,
    gram_matrix,
    group_scored_ratings,
    known_positions,
    user_item_matrix,
)

BINARY_RIDGE, WEIGHTED_RIDGE = 200.0, 300.0
RESIDUAL_SLOPE, UNSCORED_WEIGHT = 0.3, 0.6


def fit_binary_ease(ratings: Ratings) -> ItemScorer:
    """Every entry counts 1."""
    weights = ease_weights(user_item_matrix(ratings), BINARY_RIDGE)

    def score(listed: UserList) -> Float64Array:
        at, _ = known_positions(ratings.anime_ids, listed)
        return np.asarray(weights[at].sum(axis=0), np.float64)

    return score


def fit_weighted_ease(ratings: Ratings) -> ItemScorer:
    """A score counts max(0, 1 + 0.3 residual), an entry without one 0.6."""
    grouped = group_scored_ratings(ratings)
    baseline, residual = BaselineEstimates.fit(grouped)
    # The residuals come by user, each user's anime by their numbers in `grouped`.
    fan = np.repeat(np.arange(grouped.n_users), np.diff(grouped.user_start))
    shape = (grouped.n_users, grouped.n_items)
    scored = csr_array(
        (_rating_weight(residual), (fan, grouped.order[grouped.user_item])), shape=shape
    )
    unscored = user_item_matrix(ratings, np.where(ratings.rated_mask, 0.0, UNSCORED_WEIGHT))
    weights = ease_weights((scored + unscored).astype(np.float32).tocsr(), WEIGHTED_RIDGE)

    def score(listed: UserList) -> Float64Array:
        at, given = known_positions(ratings.anime_ids, listed)
        rated = given > 0
        bias = baseline.user_bias(at[rated], given[rated])
        off = given - baseline.mean - bias - baseline.item_bias[at]
        strength = np.where(rated, _rating_weight(off), UNSCORED_WEIGHT).astype(np.float32)
        return np.asarray(strength @ weights[at], np.float64)

    return score


def ease_weights(user_items: csr_array, ridge: float) -> Float32Array:
    """B (n, n) float32 for the list matrix X (fans, n)."""
    matrix = gram_matrix(user_items)
    np.fill_diagonal(matrix, matrix.diagonal() + np.float32(ridge))
    inverse = inv(matrix, overwrite_a=True, check_finite=False, assume_a="pos")
    own = inverse.diagonal().copy()
    inverse /= -own
    np.fill_diagonal(inverse, 0.0)
    return np.asarray(inverse)


def _rating_weight(residual: Float64Array) -> Float64Array:
    return np.maximum(0.0, 1.0 + RESIDUAL_SLOPE * residual)
