"""Sum of similarities: how much an anime is like all that is on the list, scores aside."""

from __future__ import annotations

import numpy as np

from app.recommender import UserList
from app.recommender.array_types import Float64Array
from model_build.data.ratings import Ratings
from model_build.evaluate.reference_models.base import (
    ItemScorer,
    fit_item_similarity,
    known_positions,
)


def fit(ratings: Ratings) -> ItemScorer:
    _, by_source = fit_item_similarity(ratings)

    def score(listed: UserList) -> Float64Array:
        at, _ = known_positions(ratings.anime_ids, listed)
        return np.asarray(by_source[at].sum(axis=0), np.float64)

    return score
