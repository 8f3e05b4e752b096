"""Fit what the terms of the predicted score leave over (`app.recommender.score_correction`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.recommender.array_types import Float32Array, Float64Array
from app.recommender.recommend import MAX_SCORE, MIN_SCORE, ItemEstimates
from app.recommender.reranking.feature_names import CORRECTION_FEATURES
from app.recommender.score_correction import correction_features
from model_build.data.holdout import HoldoutUser
from model_build.train.model_arrays import ModelArrays
from model_build.train.trees import DETERMINISTIC, flatten_trees, tree_arrays

NAME = "score_correction"
ROUNDS = 60
SETTINGS: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 50.0,
    "max_bin": 63,
    **DETERMINISTIC,
}


class ScoreTable:
    """Hidden scores of many lists."""

    def __init__(self) -> None:
        self._lists: list[tuple[Float32Array, Float64Array, Float64Array, Float64Array]] = []

    def add(self, estimates: ItemEstimates, user: HoldoutUser, weight: float) -> None:
        """Add the hidden scores of a list, each with a ``weight``."""
        position = estimates.model.find_positions(user.hidden_ids)
        known = position >= 0
        position = position[known]
        features = correction_features(
            estimates.model,
            estimates.profile,
            estimates.affinity,
            estimates.score_prediction,
            position,
        ).astype(np.float32)
        score, given = estimates.score_prediction.scores(position), user.hidden_scores[known]
        self._lists.append((features, score, given, np.full(len(position), weight)))

    def columns(self) -> tuple[Float32Array, Float64Array, Float64Array, Float64Array]:
        """Return features (r, f); what the terms add up to, what was given, and weights, (r,)."""
        features, score, given, weight = map(np.concatenate, zip(*self._lists, strict=True))
        return features, score, given, weight


def fit_score_correction(training: ScoreTable, validation: ScoreTable) -> ModelArrays:
    """Fit the trees, and measure on the ``validation`` scores what they bring."""
    # Imported here: it takes a second, and only training needs it.
    import lightgbm

    features, score, given, weight = training.columns()
    data = lightgbm.Dataset(
        features,
        given - score,
        weight=weight,
        feature_name=list(CORRECTION_FEATURES),
        params={"max_bin": SETTINGS["max_bin"]},
    )
    trees = flatten_trees(lightgbm.train(SETTINGS, data, ROUNDS))
    features, score, truth, _ = validation.columns()
    corrected = score + trees.predict(features.astype(np.float64))
    scalars = {
        f"{NAME}_scores": float(len(given)),
        f"{NAME}_validation_rmse_before": _rmse(score, truth),
        f"{NAME}_validation_rmse": _rmse(corrected, truth),
    }
    return ModelArrays(tree_arrays(NAME, trees), scalars)


def _rmse(score: Float64Array, truth: Float64Array) -> float:
    predicted = np.clip(score, MIN_SCORE, MAX_SCORE)
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))
