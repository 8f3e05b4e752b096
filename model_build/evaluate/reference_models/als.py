"""ALS for implicit feedback (Hu, Koren and Volinsky 2008), by the package `implicit`."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from app.recommender import UserList
from app.recommender.array_types import Float64Array
from model_build.data.ratings import Ratings
from model_build.evaluate.reference_models.base import (
    ItemScorer,
    ScorerFactory,
    known_positions,
    user_item_matrix,
)
from model_build.util.errors import InputError

ITERATIONS = 15


def fit(
    ratings: Ratings, *, factors: int, regularization: float, alpha: float, seed: int = 0
) -> ItemScorer:
    """``alpha`` is the confidence of an entry against 1 for an anime that is not on the list.

    Raises:
        InputError: `implicit` is not installed.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        raise InputError(
            "ALS needs the package implicit; install requirements-build.txt or leave als out."
        ) from None
    # implicit has threads of its own and asks that BLAS has none.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=ITERATIONS,
            random_state=seed,
        )
        model.fit(csr_matrix(user_item_matrix(ratings)), show_progress=False)
    n = len(ratings.anime_ids)

    def score(listed: UserList) -> Float64Array:
        at, _ = known_positions(ratings.anime_ids, listed)
        entries = csr_matrix((np.ones(len(at), np.float32), at, [0, len(at)]), shape=(1, n))
        fan = model.recalculate_user(0, entries)
        return np.asarray(model.item_factors @ fan.ravel(), np.float64)

    return score


FIT_VARIANTS: tuple[ScorerFactory, ...] = (
    partial(fit, factors=128, regularization=10.0, alpha=2.0),
    partial(fit, factors=256, regularization=10.0, alpha=2.0),
    partial(fit, factors=256, regularization=30.0, alpha=3.0),
)
