"""Cosine embeddings: a user and an anime are as close as the angle between their vectors.

    score_i = mu + b_i + b_u + RANGE (sigmoid(w u'v_i + c) - 1/2)

with v_i of length 1. Training takes the scores' residuals, scaled to 0..1, for probabilities. A new
user's u is the solution of one weighted least-squares problem: targets logit(y_j), weighted by y_j
(1 - y_j), and the vectors of the training users as the prior. It is no longer than 1, and shorter
where the list says little: the mean of the directions that are still likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from app.recommender.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from app.recommender.arrays import ArtifactReader
from app.recommender.engines.base import EngineBiases, EngineScores
from app.recommender.engines.heads import sigmoid
from app.recommender.user_list import KnownEntries

PERCENT = 100.0
MIN_SCORE, MAX_SCORE = 1.0, 10.0
RESIDUAL_RANGE = 10.0
"""Residuals from -5 to 5 are scaled to 0..1."""
TARGET_MARGIN = 0.02
"""Scaled residuals are kept this far from 0 and 1: their logits are finite."""


def scale_residuals(residual: Float64Array) -> Float64Array:
    """Residuals (k,), in points, as targets from 0 to 1."""
    return np.asarray(np.clip(residual / RESIDUAL_RANGE + 0.5, 0.0, 1.0))


@dataclass(frozen=True)
class CosineEngine:
    """``embedding`` (n, d) float32, rows of length 1 where known.

    ``slope`` and ``offset`` are w and c; ``user_prior_mean`` (d,) and ``user_prior_precision``
    (d, d) the prior of a user's vector, ``ridge`` its weight. ``expected_error`` is a standard
    deviation.
    """

    name: ClassVar[str] = "cosine"

    bias_model: EngineBiases
    embedding: Float32Array
    slope: float
    offset: float
    user_prior_mean: Float64Array
    user_prior_precision: Float64Array
    ridge: float
    known_items: BoolArray
    expected_error: float

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, n_items: int) -> Self | None:
        """From the arrays and numbers ``cosine_*``, None if there are none."""
        if "cosine_embedding" not in arrays:
            return None
        embedding = arrays.read_table("cosine_embedding", n_items)
        size = embedding.shape[1]
        return cls(
            EngineBiases.from_arrays(arrays, cls.name, n_items),
            embedding,
            arrays.read_number("cosine_slope"),
            arrays.read_number("cosine_offset"),
            arrays.read_vector("cosine_user_prior_mean", np.float64, size),
            arrays.read_table("cosine_user_prior_precision", size, size).astype(np.float64),
            arrays.read_number("cosine_ridge", minimum=0),
            np.asarray(embedding.any(axis=1)),
            arrays.read_number("cosine_expected_error", minimum=0),
        )

    def score(self, entries: KnownEntries) -> EngineScores:
        """Return the match is the predicted score as a share of the way from 1 to 10."""
        user_vector, system, terms, has_score = self.fold_in(entries)
        user_bias = self.bias_model.user_residuals(entries)[2]
        cosine = (self.embedding @ user_vector.astype(np.float32)).astype(np.float64)
        score_slope, score = self._predict_all_scores(cosine, user_bias)
        percent = PERCENT / (MAX_SCORE - MIN_SCORE)

        def score_contributions(wanted: Int64Array) -> Float64Array:
            share = np.zeros((len(wanted), len(entries.position)))
            towards = np.linalg.solve(system, self.embedding[wanted].T.astype(np.float64))
            share[:, has_score] = (terms @ towards).T
            return score_slope[wanted, None] * share

        def contributions(wanted: Int64Array) -> Float64Array:
            return percent * score_contributions(wanted)

        return EngineScores(
            percent * (score - MIN_SCORE),
            self.known_items,
            contributions,
            score,
            self.expected_error,
            score_contributions,
        )

    def fold_in(
        self, entries: KnownEntries
    ) -> tuple[Float64Array, Float64Array, Float64Array, BoolArray]:
        """Return the user's vector (d,), the system A (d, d), and a term (entries, d) each.

        The vector is A^-1 (prior + sum of the terms), scaled down to a length of 1 if longer; A and
        the terms are such that this still holds.
        """
        has_score, residual, _ = self.bias_model.user_residuals(entries)
        entry_embeddings = self.embedding[entries.position[has_score]].astype(np.float64)
        target = np.clip(scale_residuals(residual), TARGET_MARGIN, 1.0 - TARGET_MARGIN)
        weight = self.slope**2 * target * (1.0 - target)
        target_cosine = (np.log(target / (1.0 - target)) - self.offset) / self.slope
        system = (
            self.ridge * self.user_prior_precision
            + (entry_embeddings.T * weight) @ entry_embeddings
        )
        terms = entry_embeddings * (weight * target_cosine)[:, None]
        prior = self.ridge * self.user_prior_precision @ self.user_prior_mean
        user_vector = np.linalg.solve(system, prior + terms.sum(axis=0))
        norm = max(1.0, float(np.linalg.norm(user_vector)))
        return user_vector / norm, system * norm, terms, has_score

    def user_embedding(self, entries: KnownEntries) -> Float64Array:
        """Return the user's vector (f,), no longer than 1."""
        return self.fold_in(entries)[0]

    def predict_scores_at(self, entries: KnownEntries, position: Int64Array) -> Float64Array:
        """Predicted scores (p,) of anime at positions (p,)."""
        user_vector = self.fold_in(entries)[0]
        user_bias = self.bias_model.user_residuals(entries)[2]
        cosine = self.embedding[position].astype(np.float64) @ user_vector
        chance = sigmoid(self.slope * cosine + self.offset)
        expected = self.bias_model.global_mean + self.bias_model.item_bias[position] + user_bias
        return np.asarray(expected + RESIDUAL_RANGE * (chance - 0.5))

    def _predict_all_scores(
        self, cosine: Float64Array, user_bias: float
    ) -> tuple[Float64Array, Float64Array]:
        """How much a score changes with the cosine, (n,), and the scores."""
        chance = sigmoid(self.slope * cosine + self.offset)
        score = (
            self.bias_model.global_mean
            + self.bias_model.item_bias
            + user_bias
            + RESIDUAL_RANGE * (chance - 0.5)
        )
        return RESIDUAL_RANGE * self.slope * chance * (1.0 - chance), score
