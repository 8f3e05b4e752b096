"""Item-cosine KNN: an anime is scored by those on the list that are among its 50 nearest.

How near two anime are is the cosine of their columns in the binary list matrix; the score is the
sum of the cosines (Sarwar and others 2001, without scores).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from app.recommender import UserList
from app.recommender.array_types import Float64Array
from model_build.data.ratings import Ratings
from model_build.evaluate.reference_models.base import (
    ItemScorer,
    gram_matrix,
    known_positions,
    user_item_matrix,
)

N_NEIGHBOURS = 50


def fit(ratings: Ratings) -> ItemScorer:
    cosine = gram_matrix(user_item_matrix(ratings))
    length = np.sqrt(cosine.diagonal())
    cosine /= length[:, None]
    cosine /= length
    np.fill_diagonal(cosine, 0.0)
    keep = min(N_NEIGHBOURS, len(cosine) - 1)
    nearest = np.stack([np.argpartition(-row, keep - 1)[:keep] for row in cosine])
    weight = np.take_along_axis(cosine, nearest, axis=1)
    start = keep * np.arange(len(cosine) + 1)
    by_source = csr_array((weight.ravel(), nearest.ravel(), start), shape=cosine.shape).T.tocsr()

    def score(listed: UserList) -> Float64Array:
        at, _ = known_positions(ratings.anime_ids, listed)
        return np.asarray(by_source[at].sum(axis=0), np.float64)

    return score
