"""Engines from embeddings: matrix factorization, a network (MLP), and one network for two tasks.

Each predicts scores on top of the baseline, r_i = mu + b_i + b_u + z_i, and how likely a user who
starts an anime likes it, sigmoid(z_i + s b_u). Both come from one vector of the user
(`HybridEngine`), or from one each (`MatrixFactorizationEngine`, `MlpEngine`); `heads` finds it. How
they are trained stands in `model_build.engines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from app.recommender.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from app.recommender.arrays import ArtifactReader
from app.recommender.engines.base import EngineBiases, EngineScores, like_labels
from app.recommender.engines.heads import (
    LabelBlock,
    LinearHead,
    PredictionHead,
    ReluHead,
    UserVectorFit,
    fit_user_vector,
    sigmoid,
    sigmoid_secant_slope,
)
from app.recommender.user_list import KnownEntries

PERCENT = 100.0


def score_label_block(
    bias_model: EngineBiases, head: PredictionHead, entries: KnownEntries, weight: float = 1.0
) -> LabelBlock:
    """Return the residuals of a list's scores as labels."""
    has_score, residual, _ = bias_model.user_residuals(entries)
    at = entries.position[has_score]
    return LabelBlock(head, at, residual, 0.0, weight, is_logistic=False)


def like_label_block(
    head: PredictionHead, entries: KnownEntries, value_offset: float, weight: float = 1.0
) -> LabelBlock:
    """Return a list's likes as labels; ``value_offset`` is the user's part of the logit."""
    label = like_labels(entries.score, entries.status)
    is_labelled = label >= 0
    target = label[is_labelled].astype(np.float64)
    return LabelBlock(
        head, entries.position[is_labelled], target, value_offset, weight, is_logistic=True
    )


@dataclass(frozen=True)
class NeuralEngine:
    """Two heads over the model's anime, and what their vectors are found with.

    ``ridges`` is how strongly each vector is held to that of the average user. With
    ``shares_user_vector`` one vector answers to both heads, scores weighing ``task_weights[0]`` and
    interactions ``task_weights[1]``. ``user_bias_weight`` is s; ``known_items`` (n,) the anime that
    training saw; ``embedding`` (n, e) float32, rows of length 1 where known, is what anime are
    alike by. ``expected_error`` is a standard deviation.
    """

    name: ClassVar[str]
    uses_relu: ClassVar[bool]
    shares_user_vector: ClassVar[bool]

    bias_model: EngineBiases
    rating_head: PredictionHead
    interaction_head: PredictionHead
    user_bias_weight: float
    ridges: tuple[float, float]
    task_weights: tuple[float, float]
    known_items: BoolArray
    embedding: Float32Array
    expected_error: float

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, n_items: int) -> Self | None:
        """From the arrays and numbers ``NAME_*``, None if there are none."""
        if f"{cls.name}_embedding" not in arrays:
            return None
        embedding = arrays.read_table(f"{cls.name}_embedding", n_items)
        rating, interaction = (
            _read_head(
                arrays,
                cls.name,
                side,
                n_items,
                uses_relu=cls.uses_relu,
                shares_user_vector=cls.shares_user_vector,
            )
            for side in ("rating", "interaction")
        )
        return cls(
            EngineBiases.from_arrays(arrays, cls.name, n_items),
            rating,
            interaction,
            arrays.read_number(f"{cls.name}_user_bias_weight"),
            _read_task_pair(arrays, f"{cls.name}_ridge"),
            _read_task_pair(arrays, f"{cls.name}_weight"),
            np.asarray(embedding.any(axis=1)),
            embedding,
            arrays.read_number(f"{cls.name}_expected_error", minimum=0),
        )

    def score(self, entries: KnownEntries) -> EngineScores:
        """Fold a list in and score every anime."""
        (by_rating, by_interaction), user_bias = self.fold_in(entries)
        logit = (
            self.interaction_head.predict(by_interaction.user_vector)
            + self.user_bias_weight * user_bias
        )
        score = self.bias_model.global_mean + self.bias_model.item_bias + user_bias
        score = score + self.rating_head.predict(by_rating.user_vector)

        def contributions(wanted: Int64Array) -> Float64Array:
            return self._contributions(entries, by_interaction, logit, wanted)

        def score_contributions(wanted: Int64Array) -> Float64Array:
            return self._entry_shares(entries, self.rating_head, by_rating, wanted)

        return EngineScores(
            PERCENT * sigmoid(logit),
            self.known_items,
            contributions,
            score,
            self.expected_error,
            score_contributions,
        )

    def fold_in(self, entries: KnownEntries) -> tuple[tuple[UserVectorFit, UserVectorFit], float]:
        """Return the user's vector for either head (the same if shared), and the user's bias."""
        weights = self.task_weights if self.shares_user_vector else (1.0, 1.0)
        user_bias = self.bias_model.user_residuals(entries)[2]
        scores = score_label_block(self.bias_model, self.rating_head, entries, weights[0])
        labels = like_label_block(
            self.interaction_head, entries, self.user_bias_weight * user_bias, weights[1]
        )
        if self.shares_user_vector:
            fit = fit_user_vector([scores, labels], self.ridges[0])
            return (fit, fit), user_bias
        return (
            fit_user_vector([scores], self.ridges[0]),
            fit_user_vector([labels], self.ridges[1]),
        ), user_bias

    def user_embedding(self, entries: KnownEntries) -> Float64Array:
        """Return that which scores are predicted with, (f,)."""
        return self.fold_in(entries)[0][0].user_vector

    def _contributions(
        self, entries: KnownEntries, fit: UserVectorFit, logit: Float64Array, positions: Int64Array
    ) -> Float64Array:
        """Return what each entry adds to the match, (positions, entries), in percent.

        The logit is linear in the vector as long as no hidden unit turns on or off, and the vector
        is a sum over entries; a match is spread over them in the same proportions.
        """
        share = self._entry_shares(entries, self.interaction_head, fit, positions)
        logit_change = share.sum(axis=1)
        probability_slope = sigmoid_secant_slope(logit[positions] - logit_change, logit[positions])
        return np.asarray(PERCENT * probability_slope[:, None] * share)

    def _entry_shares(
        self, entries: KnownEntries, head: PredictionHead, fit: UserVectorFit, positions: Int64Array
    ) -> Float64Array:
        """Return what each entry adds to a head's values by way of the vector, signed."""
        has_score, _, _ = self.bias_model.user_residuals(entries)
        label = like_labels(entries.score, entries.status) >= 0
        own = [has_score] if head is self.rating_head else [label]
        masks = [has_score, label] if self.shares_user_vector else own
        inverse_gradients = np.linalg.solve(
            fit.hessian, head.user_jacobian(fit.user_vector, positions).T
        )
        share = np.zeros((len(positions), len(entries.position)))
        for mask, terms in zip(masks, fit.entry_terms, strict=True):
            share[:, mask] += (terms @ inverse_gradients).T
        return share


def _read_task_pair(arrays: ArtifactReader, name: str) -> tuple[float, float]:
    return arrays.read_number(f"{name}_rating", minimum=0), arrays.read_number(
        f"{name}_interaction", minimum=0
    )


def _read_head(
    arrays: ArtifactReader,
    engine: str,
    task: str,
    n_items: int,
    *,
    uses_relu: bool,
    shares_user_vector: bool,
) -> PredictionHead:
    offset = arrays.read_vector(f"{engine}_{task}_offset", np.float64, n_items)
    if not uses_relu:
        return LinearHead(offset, arrays.read_table(f"{engine}_{task}_item_vectors", n_items))
    trunk = f"{engine}_trunk" if shares_user_vector else f"{engine}_{task}"
    hidden_bias = arrays.read_table(f"{trunk}_hidden_bias", n_items)
    hidden = hidden_bias.shape[1]
    projection = arrays.read_table(f"{trunk}_projection", hidden).astype(np.float64)
    output_weight = arrays.read_vector(f"{engine}_{task}_output_weight", np.float64, hidden)
    return ReluHead(offset, hidden_bias, projection, output_weight)


class MatrixFactorizationEngine(NeuralEngine):
    """Matrix factorization: a dot product, a vector for scores and one for interactions."""

    name, uses_relu, shares_user_vector = "mf", False, False


class MlpEngine(NeuralEngine):
    """One hidden layer over both embeddings, a network for scores and one for interactions."""

    name, uses_relu, shares_user_vector = "mlp", True, False


class HybridEngine(NeuralEngine):
    """One hidden layer over both embeddings, and a head for either task."""

    name, uses_relu, shares_user_vector = "hybrid", True, True
