"""What all peers share: the interface, the list matrix, and the baseline of a list.

A peer is a function from training ratings to a scorer; a scorer gives every anime of the ratings a
score for one list, (n,) in the order of ``anime_ids``. What it scores an anime on the list does not
matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from app.recommender import UserList
from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from model_build.data.grouping import GroupedRatings, group_ratings
from model_build.data.ratings import Ratings
from model_build.evaluate.ranking_results import ItemScorer
from model_build.train.bias_model import fit_bias_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.similarity import pearson_baseline_similarity

ScorerFactory = Callable[[Ratings], ItemScorer]

__all__ = [
    "BaselineEstimates",
    "ItemScorer",
    "ScorerFactory",
    "fit_item_similarity",
    "gram_matrix",
    "group_scored_ratings",
    "known_positions",
    "user_item_matrix",
]

REG_USER, REG_ITEM, EPOCHS = 15.0, 10.0, 10
BLOCK_ROWS = 1024


def known_positions(anime_ids: Int32Array, user_list: UserList) -> tuple[Int64Array, Float64Array]:
    """Int64Array in ``anime_ids`` and scores (0 = none) of the entries that are among them."""
    at = np.minimum(np.searchsorted(anime_ids, user_list.anime_id), len(anime_ids) - 1)
    there = anime_ids[at] == user_list.anime_id
    return at[there], user_list.score[there]


def user_item_matrix(ratings: Ratings, weights: Float64Array | None = None) -> csr_array:
    """Fans by anime, float32: ``value`` (an entry each; 1 by default) where on the list."""
    values = np.ones(len(ratings)) if weights is None else weights
    shape = (len(ratings.user_ids), len(ratings.anime_ids))
    return csr_array((values.astype(np.float32), (ratings.user, ratings.item)), shape=shape)


def gram_matrix(user_items: csr_array) -> Float32Array:
    """X'X, dense (n, n) float32."""
    by_anime = user_items.T.tocsr()
    dense = np.empty((user_items.shape[1], user_items.shape[1]), np.float32)
    for first in range(0, len(dense), BLOCK_ROWS):
        dense[first : first + BLOCK_ROWS] = (
            by_anime[first : first + BLOCK_ROWS] @ user_items
        ).toarray()
    return dense


def group_scored_ratings(ratings: Ratings) -> GroupedRatings:
    """The scored entries grouped both ways."""
    return group_ratings(
        ratings.user,
        ratings.item,
        ratings.rating,
        len(ratings.user_ids),
        len(ratings.anime_ids),
        selected=ratings.rated_mask,
    )


@dataclass(frozen=True, slots=True)
class BaselineEstimates:
    """mu + b_u + b_i with Surprise's regularisation; ``item_bias`` (n,)."""

    mean: float
    item_bias: Float64Array

    @classmethod
    def fit(cls, grouped: GroupedRatings) -> tuple[BaselineEstimates, Float64Array]:
        """The baseline, and the residuals of the grouped scores (by user)."""
        fitted = fit_bias_model(grouped, reg_user=REG_USER, reg_item=REG_ITEM, epochs=EPOCHS)
        return cls(fitted.mean, fitted.item_bias), fitted.residual

    def user_bias(self, at: Int64Array, score: Float64Array) -> float:
        """b_u of a fan with these scores, the anime fixed (closed form)."""
        return float((score - self.mean - self.item_bias[at]).sum() / (REG_USER + len(at)))


def fit_item_similarity(ratings: Ratings) -> tuple[BaselineEstimates, csr_array]:
    """The baseline, and Hakken's similarity with its default settings.

    Row j of the matrix (n, n) holds what anime j on a list gives to others.
    """
    settings = Hyperparameters()
    grouped = group_scored_ratings(ratings)
    baseline, residual = BaselineEstimates.fit(grouped)
    by_target = pearson_baseline_similarity(
        grouped,
        residual,
        shrinkage=settings.shrinkage,
        min_support=settings.min_support,
        neighbours=settings.neighbours,
    )
    return baseline, by_target.T.tocsr()
