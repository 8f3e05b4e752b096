"""Cosine embeddings: a normalised dot product, a dense sigmoid, cross-entropy on scaled scores."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from app.recommender.array_types import Int32Array, Int64Array
from app.recommender.engines.cosine import RESIDUAL_RANGE, CosineEngine
from model_build.data.ratings import Ratings
from model_build.engines.base import FittedEngine
from model_build.engines.export import (
    align_to_model,
    baseline_arrays,
    normalise_rows,
    select_ridge,
    to_numpy,
    users_in_rows,
)
from model_build.engines.multi_task_network import network_hyperparameters, rows_with_target
from model_build.engines.network_training import (
    EmbeddingNetwork,
    NetworkSettings,
    PairBatch,
    split_missing,
    train_network,
)
from model_build.engines.training_pairs import TrainingPairs, build_training_pairs

DEFAULTS = NetworkSettings(size=128, dropout=0.0, decay=0.0, schedule="warmup", initialiser="he")
INITIAL_SLOPE = 3.0
RIDGE_GRID = (0.5, 1.0, 2.0, 4.0, 8.0)
VALIDATION_RIDGE = 2.0
JITTER = 1e-4


class CosineEmbeddingNetwork(EmbeddingNetwork):
    """sigmoid(w cos(u, v) + c), held to the residuals scaled to 0..1."""

    def __init__(self, n_users: int, items: int, settings: NetworkSettings) -> None:
        super().__init__(n_users, items, settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.dense = nn.Linear(1, 1)
        nn.init.constant_(self.dense.weight, INITIAL_SLOPE)
        nn.init.zeros_(self.dense.bias)

    def forward(self, user: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        one, other = (
            self.dropout(self.user_embedding(user)),
            self.dropout(self.item_embedding(item)),
        )
        near = nn.functional.cosine_similarity(one, other, dim=1)
        return self.dense(near[:, None]).squeeze(1), None

    def losses(
        self, scores: Tensor | None, _: Tensor | None, batch: PairBatch
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropies in place of squared errors."""
        assert scores is not None
        there, residual = split_missing(batch.residual)
        target = (residual / RESIDUAL_RANGE + 0.5).clamp(0, 1)
        entropy = nn.functional.softplus(scores) - target * scores
        return (there * entropy).sum(), scores.new_zeros(())

    def export_engine(
        self, pairs: TrainingPairs, users: Int64Array, ridge: float, error: float = 0.0
    ) -> CosineEngine:
        """The engine over the anime of the pairs."""
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
            error,
        )


def fit(
    ratings: Ratings,
    anime_id: Int32Array,
    settings: NetworkSettings = DEFAULTS,
    *,
    progress: bool = False,
) -> FittedEngine:
    """The engine for a model's anime."""
    pairs = build_training_pairs(ratings, n_validation=settings.validation, seed=settings.seed)
    rows = rows_with_target(pairs, "rating")
    fans = users_in_rows(pairs, rows)

    def validate(network: EmbeddingNetwork) -> float:
        assert isinstance(network, CosineEmbeddingNetwork)
        return validation_mse(network.export_engine(pairs, fans, VALIDATION_RIDGE), pairs)

    network, outcome = train_network(
        lambda: CosineEmbeddingNetwork(len(pairs.user_bias), len(pairs.is_trained_item), settings),
        pairs,
        settings,
        validate,
        rows=rows,
        name="cosine",
        progress=progress,
    )
    assert isinstance(network, CosineEmbeddingNetwork)
    ridge = select_ridge(
        lambda at: validation_mse(network.export_engine(pairs, fans, at), pairs), RIDGE_GRID
    )
    frozen = network.export_engine(pairs, fans, ridge)
    arrays, numbers = baseline_arrays(pairs.baseline)
    arrays |= {
        "embedding": frozen.embedding,
        "user_prior_mean": frozen.user_prior_mean,
        "user_prior_precision": frozen.user_prior_precision.astype(np.float32),
    }
    numbers |= network_hyperparameters(settings) | {
        "slope": frozen.slope,
        "offset": frozen.offset,
        "ridge": ridge,
        "expected_error": float(np.sqrt(validation_mse(frozen, pairs))),
    }
    metrics = outcome.metrics("rating")
    return align_to_model(FittedEngine(arrays, numbers, metrics), anime_id, ratings.anime_ids)


def validation_mse(engine: CosineEngine, pairs: TrainingPairs) -> float:
    """Mean squared error on what the validation fans hide."""
    off = [
        engine.predict_scores_at(fan.visible, fan.hidden_position) - fan.hidden_score
        for fan in pairs.validation_users
    ]
    return float((np.concatenate(off) ** 2).mean())
