"""A Gaussian process over embeddings (deep kernel): attention that is solved for, not learned.

A user's scores are mu + b_i + f_i, f Gaussian with mean 0 and the covariance

    k(i, j) = user_bias_variance + a_i'a_j + s_i s_j exp(sharpness (u_i'u_j - 1))

of the user's bias, of factors a and of embeddings u of length 1. The last term is an attention that
fades within a franchise or a genre, and is of full rank. A list is folded in by one solution:

    f = K_all,list (K_list,list + noise)^-1 (score - mu - b),

so every prediction is a weighted sum of what the scores on the list are above expectation, and two
entries that say the same share one weight. How likely a user likes an anime is
sigmoid(slope (predicted score - 5.5) + o_i). How it is trained stands in `model_build.engines`.

Sources: Lawrence and Urtasun 2009, Wilson and others 2016, Kim and others 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from app.recommender.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from app.recommender.arrays import ArtifactReader
from app.recommender.engines.base import LIKE_THRESHOLD, EngineScores
from app.recommender.engines.heads import sigmoid, sigmoid_secant_slope
from app.recommender.user_list import KnownEntries
from app.recommender.watch_status import WatchStatus

PERCENT = 100.0
LIKE_MIDPOINT = LIKE_THRESHOLD + 0.5
MAX_ENTRIES = 1500
"""Of a longer list the entries with most signal are folded in: time grows with the cube."""
CHUNK_SIZE = 512
"""Anime at a time: the block of attentions stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class PosteriorWeights:
    """A list, solved for: its entries ``entry_index`` (k,) are of the anime ``item_position`` (k,).

    ``residual`` (k,) is what their scores are above expectation, ``noisy_covariance`` (k, k) their
    covariance with noise, ``weight`` (k,) its solution.
    """

    entry_index: Int64Array
    item_position: Int64Array
    residual: Float64Array
    noisy_covariance: Float64Array
    weight: Float64Array


@dataclass(frozen=True)
class GaussianProcessEngine:
    """``embedding`` (n, d) float32, rows of length 1 where known, ``item_factors`` (n, f) float32.

    ``scale``, ``noise_variance``, ``item_bias`` and ``offset`` are (n,) float64;
    ``expected_error`` is a standard deviation.
    """

    name: ClassVar[str] = "kernel"

    global_mean: float
    item_bias: Float64Array
    embedding: Float32Array
    item_factors: Float32Array
    scale: Float64Array
    noise_variance: Float64Array
    user_bias_variance: float
    sharpness: float
    offset: Float64Array
    slope: float
    known_items: BoolArray
    expected_error: float

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, n_items: int) -> Self | None:
        """From the arrays and numbers ``kernel_*``, None if there are none."""
        if "kernel_embedding" not in arrays:
            return None
        embedding = arrays.read_table("kernel_embedding", n_items)
        bias, scale, noise, offset = (
            arrays.read_vector(f"kernel_{side}", np.float64, n_items)
            for side in ("item_bias", "scale", "noise_variance", "offset")
        )
        return cls(
            arrays.read_number("kernel_global_mean"),
            bias,
            embedding,
            arrays.read_table("kernel_item_factors", n_items),
            scale,
            noise,
            arrays.read_number("kernel_user_bias_variance", minimum=0),
            arrays.read_number("kernel_sharpness", minimum=0),
            offset,
            arrays.read_number("kernel_slope"),
            np.asarray(embedding.any(axis=1)),
            arrays.read_number("kernel_expected_error", minimum=0),
        )

    def score(self, entries: KnownEntries) -> EngineScores:
        """Fold a list in and score every anime: the match is the chance that it is liked."""
        posterior = self.fold_in(entries)
        score = self.global_mean + self.item_bias + self.posterior_mean(posterior)
        logit = self.like_logit(score)

        def score_contributions(wanted: Int64Array) -> Float64Array:
            share = np.zeros((len(wanted), len(entries.position)))
            towards = np.linalg.solve(
                posterior.noisy_covariance, self.covariance(posterior.item_position, wanted)
            )
            share[:, posterior.entry_index] = towards.T * posterior.residual
            return share

        def contributions(wanted: Int64Array) -> Float64Array:
            share = score_contributions(wanted)
            logit_change = self.slope * share.sum(axis=1)
            probability_slope = sigmoid_secant_slope(logit[wanted] - logit_change, logit[wanted])
            return np.asarray(PERCENT * self.slope * probability_slope[:, None] * share)

        return EngineScores(
            PERCENT * sigmoid(logit),
            self.known_items,
            contributions,
            score,
            self.expected_error,
            score_contributions,
        )

    def fold_in(self, entries: KnownEntries) -> PosteriorWeights:
        """Solve for the weights of the entries that tell a score."""
        scored = (entries.score > 0) & (entries.status != WatchStatus.PLAN_TO_WATCH)
        entry_index = np.flatnonzero(scored & self.known_items[entries.position])
        if len(entry_index) > MAX_ENTRIES:
            item_position = entries.position[entry_index]
            signal_to_noise = self.scale[item_position] ** 2 / self.noise_variance[item_position]
            entry_index = np.sort(
                entry_index[np.argsort(-signal_to_noise, kind="stable")[:MAX_ENTRIES]]
            )
        item_position = entries.position[entry_index]
        residual = entries.score[entry_index] - self.global_mean - self.item_bias[item_position]
        noisy_covariance = self.covariance(item_position, item_position) + np.diag(
            self.noise_variance[item_position]
        )
        weight = np.asarray(np.linalg.solve(noisy_covariance, residual), np.float64)
        return PosteriorWeights(entry_index, item_position, residual, noisy_covariance, weight)

    def posterior_mean(self, posterior: PosteriorWeights) -> Float64Array:
        """Return f (n,): how far the user's score of every anime is above mu + b_i."""
        weight = posterior.weight.astype(np.float32)
        linear_term = self.user_bias_variance * posterior.weight.sum() + self.item_factors @ (
            self.item_factors[posterior.item_position].T @ weight
        )
        kernel_term = np.empty(len(self.scale), np.float32)
        entry_embeddings = self.sharpness * self.embedding[posterior.item_position].T
        scaled_weight = self.scale[posterior.item_position].astype(np.float32) * weight
        for start in range(0, len(kernel_term), CHUNK_SIZE):
            kernel_block = self.embedding[start : start + CHUNK_SIZE] @ entry_embeddings.astype(
                np.float32
            )
            kernel_block -= np.float32(self.sharpness)
            np.exp(kernel_block, out=kernel_block)
            kernel_term[start : start + CHUNK_SIZE] = kernel_block @ scaled_weight
        return np.asarray(linear_term + self.scale * kernel_term, np.float64)

    def covariance(self, one: Int64Array, other: Int64Array) -> Float64Array:
        """Return k of some anime with others, (one, other)."""
        u, v = (self.embedding[at].astype(np.float64) for at in (one, other))
        a, b = (self.item_factors[at].astype(np.float64) for at in (one, other))
        near = np.exp(self.sharpness * (u @ v.T - 1.0))
        return np.asarray(
            self.user_bias_variance + a @ b.T + self.scale[one, None] * self.scale[other] * near,
            np.float64,
        )

    def predict_scores_at(self, entries: KnownEntries, position: Int64Array) -> Float64Array:
        """Predicted scores (p,) of anime at positions (p,)."""
        posterior = self.fold_in(entries)
        deviation = self.covariance(position, posterior.item_position) @ posterior.weight
        return np.asarray(self.global_mean + self.item_bias[position] + deviation)

    def like_logit(self, score: Float64Array, positions: Int64Array | None = None) -> Float64Array:
        """Of the chance that anime with these predicted scores (p,) are liked, (p,)."""
        offset = self.offset if positions is None else self.offset[positions]
        return np.asarray(self.slope * (score - LIKE_MIDPOINT) + offset)

    def user_embedding(self, entries: KnownEntries) -> Float64Array:
        """Return the posterior mean of the user's weights on the factors, (f,)."""
        posterior = self.fold_in(entries)
        return np.asarray(
            self.item_factors[posterior.item_position].T.astype(np.float64) @ posterior.weight
        )
