"""Cosine embeddings: a normalised dot product, a dense sigmoid, cross-entropy on scaled scores.

Not to be mixed up with the item-cosine KNN among the reference models, which is fitted to nothing.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from app.recommender.array_types import Int32Array, Int64Array
from app.recommender.engines.cosine import RESIDUAL_RANGE, CosineEngine
from model_build.data.ratings import Ratings
from model_build.engines.base import FittedEngine
from model_build.engines.factor_networks import baseline_values, normalise_rows, training_rows
from model_build.engines.network_training import (
    EmbeddingNetwork,
    NetworkSettings,
    PairBatch,
    pair_batches,
    split_missing,
    to_numpy,
    train_network,
)
from model_build.engines.training_pairs import (
    TrainingPairs,
    build_training_pairs,
    validation_losses,
)

DEFAULTS = NetworkSettings(size=128, dropout=0.0, decay=100.0, schedule="warmup", initialiser="he")
INITIAL_SLOPE = 3.0
RIDGE_GRID = (0.5, 1.0, 2.0, 4.0, 8.0)
VALIDATION_RIDGE = 2.0
JITTER = 1e-4


class CosineEmbeddingNetwork(EmbeddingNetwork):
    """sigmoid(w cos(u, v) + c), held to the residuals scaled to 0..1."""

    def __init__(self, n_users: int, n_items: int, settings: NetworkSettings) -> None:
        super().__init__(n_users, n_items, settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.dense = nn.Linear(1, 1)
        nn.init.constant_(self.dense.weight, INITIAL_SLOPE)
        nn.init.zeros_(self.dense.bias)

    def forward(self, user: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Predict residual scores and logits of likes for pairs, (b,)."""
        cosine = nn.functional.cosine_similarity(
            self.dropout(self.user_embedding(user)), self.dropout(self.item_embedding(item)), dim=1
        )
        return self.dense(cosine[:, None]).squeeze(1), None

    def losses(
        self, scores: Tensor | None, _: Tensor | None, batch: PairBatch
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropies in place of squared errors."""
        assert scores is not None
        has_target, residual = split_missing(batch.residual)
        target = (residual / RESIDUAL_RANGE + 0.5).clamp(0, 1)
        entropy = nn.functional.softplus(scores) - target * scores
        return (has_target * entropy).sum(), scores.new_zeros(())

    def export_engine(self, pairs: TrainingPairs, users: Int64Array, ridge: float) -> CosineEngine:
        """Return the engine over the anime of the pairs, fitted with ``users`` (u,)."""
        vectors = to_numpy(self.user_embedding.weight)[users]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        size = vectors.shape[1]
        covariance = np.cov(vectors.T) if len(vectors) > 1 else np.eye(size) / size
        item = to_numpy(self.item_embedding.weight)
        return CosineEngine(
            pairs.baseline,
            normalise_rows(item, pairs.is_trained_item),
            float(self.dense.weight.detach()),
            float(self.dense.bias.detach()),
            vectors.mean(axis=0),
            np.linalg.inv(covariance + JITTER * np.eye(size)),
            ridge,
            pairs.is_trained_item,
            0.0,
        )


def fit(
    ratings: Ratings, anime_id: Int32Array, settings: NetworkSettings = DEFAULTS
) -> FittedEngine:
    """Return the engine for a model's anime, ascending ``anime_id`` (n,)."""
    pairs = build_training_pairs(ratings, n_validation=settings.validation, seed=settings.seed)
    rows = training_rows(pairs, "rating")
    users = np.unique(pairs.user[rows])

    def validation_mse(network: CosineEmbeddingNetwork, ridge: float) -> float:
        engine = network.export_engine(pairs, users, ridge)
        return validation_losses(
            pairs, lambda user: (engine.predict_scores_at(user.visible, user.hidden.position), None)
        )[0]

    network, outcome = train_network(
        lambda: CosineEmbeddingNetwork(len(pairs.user_bias), len(pairs.is_trained_item), settings),
        pair_batches(pairs, rows, settings.batch),
        len(rows),
        lambda network: validation_mse(network, VALIDATION_RIDGE),
        settings,
        name="cosine",
    )
    ridge = min(RIDGE_GRID, key=lambda ridge: validation_mse(network, ridge))
    engine = network.export_engine(pairs, users, ridge)
    arrays, hyperparameters = baseline_values(pairs.baseline)
    arrays |= {
        "embedding": engine.embedding,
        "user_prior_mean": engine.user_prior_mean,
        "user_prior_precision": engine.user_prior_precision.astype(np.float32),
    }
    hyperparameters |= settings.hyperparameters() | {
        "slope": engine.slope,
        "offset": engine.offset,
        "ridge": ridge,
        "expected_error": float(np.sqrt(validation_mse(network, ridge))),
    }
    fitted = FittedEngine(arrays, hyperparameters, outcome.metrics("rating"))
    return fitted.align(ratings.anime_ids, anime_id)
