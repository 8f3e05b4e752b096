"""KNN with baseline (Koren 2010, section 2.2), as the original Hakken ranked: by predicted score.

With Hakken's default settings; `tests/model_build/train/test_surprise_parity.py` holds its parts to
scikit-surprise. Nothing is held back for resting on few scores.
"""

from __future__ import annotations

import numpy as np

from app.recommender import UserList, kernels
from app.recommender.array_types import Float64Array
from model_build.data.ratings import Ratings
from model_build.evaluate.reference_models.base import (
    ItemScorer,
    fit_item_similarity,
    known_positions,
)
from model_build.train.hyperparameters import Hyperparameters


def fit(ratings: Ratings) -> ItemScorer:
    baseline, by_source = fit_item_similarity(ratings)
    start = by_source.indptr.astype(np.int64)
    k = Hyperparameters().k

    def score(listed: UserList) -> Float64Array:
        at, given = known_positions(ratings.anime_ids, listed)
        at, given = at[given > 0], given[given > 0]
        level = baseline.mean + baseline.user_bias(at, given) + baseline.item_bias
        begin, which, weight = kernels.gather_rows(
            at, start, by_source.indices, by_source.data, 1.0, len(ratings.anime_ids)
        )
        mean, _, _ = kernels.topk_mean(begin, which, weight, given - level[at], k)
        return np.asarray(level + mean)

    return score
