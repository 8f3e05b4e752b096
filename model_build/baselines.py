"""Baseline estimates b_ui = mu + b_u + b_i by alternating least squares.

Koren, "Factor in the Neighbors" (TKDD 2010), section 2.1, in the order and with the defaults of
scikit-surprise: items first, then users, ten times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_build import bias_kernels
from model_build.grouping import GroupedRatings


@dataclass(frozen=True, slots=True)
class Baselines:
    """``mean`` of all ratings; ``user_bias`` (n_users,) and ``item_bias`` (n_items,), float64.

    ``item_bias`` is in the original order of the anime, ``residual`` (n_ratings,) in the order of
    the ratings grouped by user.
    """

    mean: float
    user_bias: npt.NDArray[np.float64]
    item_bias: npt.NDArray[np.float64]
    residual: npt.NDArray[np.float64]


def fit_baselines(
    ratings: GroupedRatings, *, reg_user: float = 15.0, reg_item: float = 10.0, epochs: int = 10
) -> Baselines:
    """Fit mu, b_u and b_i.

    Because users come last in an epoch, each b_u is the closed-form solution for the final item
    biases: a visitor folded in by `app.recommender.fold_in` gets the very bias that training on the
    same list would have given.
    """
    mean = float(ratings.user_rating.mean())
    centred = ratings.user_rating - mean
    user_bias = np.zeros(ratings.n_users)
    item_bias = np.zeros(ratings.n_items)
    for _ in range(epochs):
        bias_kernels.item_biases(
            ratings.item_start,
            ratings.item_user,
            ratings.item_position,
            centred,
            user_bias,
            reg_item,
            item_bias,
        )
        bias_kernels.user_biases(
            ratings.user_start, ratings.user_item, centred, item_bias, reg_user, user_bias
        )
    per_rating = np.repeat(user_bias, np.diff(ratings.user_start))
    residual = centred - per_rating - item_bias[ratings.user_item]
    return Baselines(mean, user_bias, item_bias[ratings.rank], residual)
