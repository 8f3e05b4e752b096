"""What all peers share: the interface, the list matrix, and the baseline of a list.

A peer is a function from training ratings to a scorer; a scorer gives every anime of the ratings a
score for one list, (n,) in the order of ``anime_ids``. What it scores an anime on the list does not
matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from app.recommender import Listed
from model_build.baselines import fit_baselines
from model_build.grouping import GroupedRatings, group_ratings
from model_build.observing import Scorer
from model_build.ratings import Ratings
from model_build.similarity import pearson_baseline
from model_build.training import Hyperparameters

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Fit = Callable[[Ratings], Scorer]

__all__ = [
    "Baseline",
    "Fit",
    "Scorer",
    "fit_similarity",
    "gram",
    "group_scores",
    "known",
    "list_matrix",
]

REG_USER, REG_ITEM, EPOCHS = 15.0, 10.0, 10
ROWS = 1024


def known(anime_ids: npt.NDArray[np.int32], listed: Listed) -> tuple[Longs, Floats]:
    """Positions in ``anime_ids`` and scores (0 = none) of the entries that are among them."""
    at = np.minimum(np.searchsorted(anime_ids, listed.anime_id), len(anime_ids) - 1)
    there = anime_ids[at] == listed.anime_id
    return at[there], listed.score[there]


def list_matrix(ratings: Ratings, value: Floats | None = None) -> csr_array:
    """Fans by anime, float32: ``value`` (an entry each; 1 by default) where on the list."""
    values = np.ones(len(ratings)) if value is None else value
    shape = (len(ratings.user_ids), len(ratings.anime_ids))
    return csr_array((values.astype(np.float32), (ratings.user, ratings.item)), shape=shape)


def gram(lists: csr_array) -> Singles:
    """X'X, dense (n, n) float32."""
    by_anime = lists.T.tocsr()
    dense = np.empty((lists.shape[1], lists.shape[1]), np.float32)
    for first in range(0, len(dense), ROWS):
        dense[first : first + ROWS] = (by_anime[first : first + ROWS] @ lists).toarray()
    return dense


def group_scores(ratings: Ratings) -> GroupedRatings:
    """The scored entries grouped both ways."""
    return group_ratings(
        ratings.user,
        ratings.item,
        ratings.rating,
        len(ratings.user_ids),
        len(ratings.anime_ids),
        chosen=ratings.scored,
    )


@dataclass(frozen=True, slots=True)
class Baseline:
    """mu + b_u + b_i with Surprise's regularisation; ``item_bias`` (n,)."""

    mean: float
    item_bias: Floats

    @classmethod
    def fit(cls, grouped: GroupedRatings) -> tuple[Baseline, Floats]:
        """The baseline, and the residuals of the grouped scores (by user)."""
        fitted = fit_baselines(grouped, reg_user=REG_USER, reg_item=REG_ITEM, epochs=EPOCHS)
        return cls(fitted.mean, fitted.item_bias), fitted.residual

    def user_bias(self, at: Longs, score: Floats) -> float:
        """b_u of a fan with these scores, the anime fixed (closed form)."""
        return float((score - self.mean - self.item_bias[at]).sum() / (REG_USER + len(at)))


def fit_similarity(ratings: Ratings) -> tuple[Baseline, csr_array]:
    """The baseline, and Hakken's similarity with its default settings.

    Row j of the matrix (n, n) holds what anime j on a list gives to others.
    """
    settings = Hyperparameters()
    grouped = group_scores(ratings)
    baseline, residual = Baseline.fit(grouped)
    by_target = pearson_baseline(
        grouped,
        residual,
        shrinkage=settings.shrinkage,
        min_support=settings.min_support,
        neighbours=settings.neighbours,
    )
    return baseline, by_target.T.tocsr()
