"""Sum of similarities: how much an anime is like all that is on the list, scores aside."""

from __future__ import annotations

import numpy as np

from app.recommender import Listed
from model_build.peers.base import Baseline, Floats, Scorer, group_scores, known
from model_build.ratings import Ratings
from model_build.similarity import pearson_baseline
from model_build.training import Hyperparameters


def fit(ratings: Ratings) -> Scorer:
    settings = Hyperparameters()
    grouped = group_scores(ratings)
    _, residual = Baseline.fit(grouped)
    by_source = pearson_baseline(
        grouped,
        residual,
        shrinkage=settings.shrinkage,
        min_support=settings.min_support,
        neighbours=settings.neighbours,
    ).T.tocsr()

    def score(listed: Listed) -> Floats:
        at, _ = known(ratings.anime_ids, listed)
        return np.asarray(by_source[at].sum(axis=0), np.float64)

    return score
