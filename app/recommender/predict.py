"""Predicted scores: KNN with baseline (Koren 2010, section 2.2).

    r_ui = mu + b_u + b_i + sum_j s_ij e_uj / sum_j s_ij

over the k anime j most similar to i that the fan scored, s_ij > 0. What `scikit-surprise` computes
as ``KNNBaseline(user_based=False)``, with one difference: of equally similar neighbours at the
k-th place the one with the smaller anime id is taken, where Surprise takes the one that came first
in the training file. Scores are not clipped here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender import kernels
from app.recommender.fold_in import DROPPED_RESIDUAL, Visitor
from app.recommender.model import Model


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """For every anime of the model, the entries of the list that its prediction rests on.

    ``source`` and ``residual`` are the entries that can speak (scored, or dropped without a score).
    Those used for anime i stand at ``begin[i]:begin[i] + used[i]`` in ``which`` (positions in
    ``source``) and ``weight`` (similarities).
    """

    source: npt.NDArray[np.int64]
    residual: npt.NDArray[np.float64]
    begin: npt.NDArray[np.int64]
    which: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]
    used: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Prediction:
    """For every anime of the model: ``score``, ``baseline``, ``total_similarity``."""

    score: npt.NDArray[np.float64]
    baseline: npt.NDArray[np.float64]
    total_similarity: npt.NDArray[np.float64]
    neighbourhood: Neighbourhood


def predict(model: Model, visitor: Visitor, k: int | None = None) -> Prediction:
    """Predict the visitor's score of every anime in the model; ``k`` defaults to the model's."""
    source = np.concatenate([visitor.rated, visitor.dropped])
    residual = np.concatenate([visitor.residual, np.full(len(visitor.dropped), DROPPED_RESIDUAL)])
    order = np.argsort(source, kind="stable")
    source, residual = source[order], residual[order]
    matrix = model.similarity
    begin, which, weight = kernels.gather(
        source, matrix.start, matrix.target, matrix.value, matrix.scale, len(model)
    )
    mean, total, used = kernels.nearest_means(begin, which, weight, residual, k or model.k)
    baseline = model.mean + visitor.user_bias + model.item_bias
    neighbourhood = Neighbourhood(source, residual, begin, which, weight, used)
    return Prediction(baseline + mean, baseline, total, neighbourhood)
