"""Sum of similarities: how much an anime is like all that is on the list, scores aside."""

from __future__ import annotations

import numpy as np

from app.recommender import Listed
from model_build.peers.base import Floats, Scorer, fit_similarity, known
from model_build.ratings import Ratings


def fit(ratings: Ratings) -> Scorer:
    _, by_source = fit_similarity(ratings)

    def score(listed: Listed) -> Floats:
        at, _ = known(ratings.anime_ids, listed)
        return np.asarray(by_source[at].sum(axis=0), np.float64)

    return score
