"""Cosine embeddings: a normalised dot product, a dense sigmoid, cross-entropy on scaled scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from app.recommender.engines.cosine import RANGE, Cosine
from model_build.engines.base import FittedEngine
from model_build.engines.fitting import rows_of_side, settings_numbers
from model_build.engines.freezing import (
    baseline_arrays,
    best_ridge,
    for_model,
    numpy_of,
    trained_fans,
    unit_rows,
)
from model_build.engines.learning import Batch, Network, Settings, learn, told
from model_build.engines.pairs import Pairs, make_pairs
from model_build.ratings import Ratings

DEFAULTS = Settings(size=128, dropout=0.0, decay=0.0, schedule="warmup", initialiser="he")
SLOPE = 3.0
RIDGES = (0.5, 1.0, 2.0, 4.0, 8.0)
LOOK_RIDGE = 2.0
JITTER = 1e-4


class CosineNetwork(Network):
    """sigmoid(w cos(u, v) + c), held to the residuals scaled to 0..1."""

    def __init__(self, fans: int, items: int, settings: Settings) -> None:
        super().__init__(fans, items, settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.dense = nn.Linear(1, 1)
        nn.init.constant_(self.dense.weight, SLOPE)
        nn.init.zeros_(self.dense.bias)

    def forward(self, fan: Tensor, item: Tensor) -> tuple[Tensor | None, Tensor | None]:
        one, other = self.dropout(self.fan(fan)), self.dropout(self.item(item))
        near = nn.functional.cosine_similarity(one, other, dim=1)
        return self.dense(near[:, None]).squeeze(1), None

    def losses(
        self, scores: Tensor | None, _: Tensor | None, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropies in place of squared errors."""
        assert scores is not None
        there, residual = told(batch.residual)
        target = (residual / RANGE + 0.5).clamp(0, 1)
        entropy = nn.functional.softplus(scores) - target * scores
        return (there * entropy).sum(), scores.new_zeros(())

    def freeze(
        self, pairs: Pairs, fans: npt.NDArray[np.int64], ridge: float, error: float = 0.0
    ) -> Cosine:
        """The engine over the anime of the pairs."""
        vectors = numpy_of(self.fan.weight)[fans]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        size = vectors.shape[1]
        covariance = np.cov(vectors.T) if len(vectors) > 1 else np.eye(size) / size
        item = numpy_of(self.item.weight)
        return Cosine(
            pairs.baseline,
            unit_rows(item, pairs.trained),
            float(self.dense.weight.detach()),
            float(self.dense.bias.detach()),
            vectors.mean(axis=0),
            np.linalg.inv(covariance + JITTER * np.eye(size)),
            ridge,
            pairs.trained,
            error,
        )


def fit(
    ratings: Ratings,
    anime_id: npt.NDArray[np.int32],
    settings: Settings = DEFAULTS,
    *,
    progress: bool = False,
) -> FittedEngine:
    """The engine for a model's anime."""
    pairs = make_pairs(ratings, validation=settings.validation, seed=settings.seed)
    rows = rows_of_side(pairs, "rating")
    fans = trained_fans(pairs, rows)

    def look(network: Network) -> float:
        assert isinstance(network, CosineNetwork)
        return squares_of(network.freeze(pairs, fans, LOOK_RIDGE), pairs)

    network, outcome = learn(
        lambda: CosineNetwork(len(pairs.level), len(pairs.trained), settings),
        pairs,
        settings,
        look,
        rows=rows,
        name="cosine",
        progress=progress,
    )
    assert isinstance(network, CosineNetwork)
    ridge = best_ridge(lambda at: squares_of(network.freeze(pairs, fans, at), pairs), RIDGES)
    frozen = network.freeze(pairs, fans, ridge)
    arrays, numbers = baseline_arrays(pairs.baseline)
    arrays |= {
        "embedding": frozen.embedding,
        "fan_mean": frozen.fan_mean,
        "fan_precision": frozen.fan_precision.astype(np.float32),
    }
    numbers |= settings_numbers(settings) | {
        "slope": frozen.slope,
        "offset": frozen.offset,
        "ridge": ridge,
        "error": float(np.sqrt(squares_of(frozen, pairs))),
    }
    metrics = outcome.numbers("rating")
    return for_model(FittedEngine(arrays, numbers, metrics), anime_id, ratings.anime_ids)


def squares_of(engine: Cosine, pairs: Pairs) -> float:
    """Mean squared error on what the validation fans hide."""
    off = [engine.score_at(fan.visible, fan.position) - fan.score for fan in pairs.hidden]
    return float((np.concatenate(off) ** 2).mean())
