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
    """Hidden scores of many lists: ``features`` (r, f), ``score`` predicted, ``given`` (r,)."""

    def __init__(self) -> None:
        self._features: list[Float32Array] = []
        self._score: list[Float64Array] = []
        self._given: list[Float64Array] = []
        self._weight: list[Float64Array] = []

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
        )
        self._features.append(features.astype(np.float32))
        self._score.append(estimates.score_prediction.scores(position))
        self._given.append(user.hidden_scores[known])
        self._weight.append(np.full(len(position), weight))

    @property
    def features(self) -> Float32Array:
        """Those of all lists, below each other, (rows, features)."""
        return np.concatenate(self._features)

    @property
    def score(self) -> Float64Array:
        """What the terms add up to, (rows,)."""
        return np.concatenate(self._score)

    @property
    def given(self) -> Float64Array:
        """What the users gave, (rows,)."""
        return np.concatenate(self._given)

    @property
    def weight(self) -> Float64Array:
        """How much each score counts, (rows,)."""
        return np.concatenate(self._weight)


def fit_score_correction(training: ScoreTable, validation: ScoreTable) -> ModelArrays:
    """Fit the trees, and measure on the ``validation`` scores what they bring."""
    # Imported here: it takes a second, and only training needs it.
    import lightgbm

    data = lightgbm.Dataset(
        training.features,
        training.given - training.score,
        weight=training.weight,
        feature_name=list(CORRECTION_FEATURES),
        params={"max_bin": SETTINGS["max_bin"]},
    )
    trees = flatten_trees(lightgbm.train(SETTINGS, data, ROUNDS))
    scalars = {
        f"{NAME}_scores": float(len(training.given)),
        f"{NAME}_validation_rmse_before": _rmse(validation, np.zeros(len(validation.given))),
        f"{NAME}_validation_rmse": _rmse(
            validation, trees.predict(validation.features.astype(np.float64))
        ),
    }
    return ModelArrays(tree_arrays(NAME, trees), scalars)


def _rmse(scores: ScoreTable, correction: Float64Array) -> float:
    predicted = np.clip(scores.score + correction, MIN_SCORE, MAX_SCORE)
    return float(np.sqrt(np.mean((predicted - scores.given) ** 2)))
