"""Predicted scores: KNN with baseline (Koren 2010, section 2.2).

    r_ui = mu + b_u + b_i + sum_j s_ij e_uj / sum_j s_ij

over the k anime j most similar to i that the user scored, s_ij > 0. What `scikit-surprise` computes
as ``KNNBaseline(user_based=False)``, with one difference: of equally similar neighbours at the
k-th place the one with the smaller anime id is taken, where Surprise takes the one that came first
in the training file. Scores are not clipped here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender import kernels
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model


@dataclass(frozen=True, slots=True)
class KnnNeighbourhood:
    """For every anime of the model, the entries of the list that its prediction rests on.

    ``entry_position`` (k,) and ``residual`` (k,) are the entries with a residual (scored, or
    dropped without a score). Those used for anime i stand at
    ``indptr[i]:indptr[i] + neighbour_count[i]`` in ``entry_index`` (which of the k) and
    ``similarity``.
    """

    entry_position: Int64Array
    residual: Float64Array
    indptr: Int64Array
    entry_index: Int64Array
    similarity: Float64Array
    neighbour_count: Int64Array


@dataclass(frozen=True, slots=True)
class KnnPrediction:
    """``score``, ``baseline`` and ``total_similarity`` (n,) for every anime of the model."""

    score: Float64Array
    baseline: Float64Array
    total_similarity: Float64Array
    neighbourhood: KnnNeighbourhood


def predict_knn(model: Model, profile: UserProfile, k: int | None = None) -> KnnPrediction:
    """Predict the user's score of every anime in the model; ``k`` defaults to the model's."""
    entry_position = np.concatenate([profile.rated, profile.dropped_unscored])
    residual = np.concatenate(
        [
            profile.residual,
            np.full(len(profile.dropped_unscored), model.parameters.dropped_residual),
        ]
    )
    order = np.argsort(entry_position, kind="stable")
    entry_position, residual = entry_position[order], residual[order]
    k = k or model.neighbour_count
    indptr, entry_index, similarity = model.similarity.gather_rows(entry_position, k)
    mean, total, neighbour_count = kernels.topk_mean(indptr, entry_index, similarity, residual, k)
    baseline = model.global_mean + profile.user_bias + model.item_bias
    neighbourhood = KnnNeighbourhood(
        entry_position, residual, indptr, entry_index, similarity, neighbour_count
    )
    return KnnPrediction(baseline + mean, baseline, total, neighbourhood)
