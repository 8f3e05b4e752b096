"""How well scores and likes are predicted, over hidden pairs of a user and an anime.

A like is what `app.recommender.engines.base` takes for one. Rankings are not looked at here;
`model_build.evaluate.ranking` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int8Array, Int32Array
from app.recommender.arrays import find_positions
from app.recommender.engines.base import LIKE_THRESHOLD, like_labels
from model_build.data.holdout import HoldoutUser
from model_build.evaluate.metrics import classification_metrics, mean_log_loss, roc_auc
from model_build.evaluate.ranking import MAX_RATING, MIN_RATING, RankedItems

MIN_LIKED_SCORE = LIKE_THRESHOLD + 0.5

Predictor = Callable[[HoldoutUser], RankedItems]
"""Predicts the scores of all anime, and perhaps the probabilities of likes, for a user."""


@dataclass(frozen=True, slots=True)
class PredictionMetrics:
    """``mse`` and ``rmse`` of ``pairs`` scores; the rest of ``labels`` likes. NaN where undefined.

    A predictor without probabilities is taken to predict a like from a score above 5.5, and has no
    ``log_loss``.
    """

    mse: float
    rmse: float
    log_loss: float
    accuracy: float
    precision: float
    recall: float
    auc: float
    pairs: int
    labels: int


def evaluate_predictions(
    predict: Predictor, users: Sequence[HoldoutUser], anime_ids: Int32Array
) -> PredictionMetrics:
    """Predict for every user, and compare over all hidden pairs.

    Parameters
    ----------
    predict
        Its scores and probabilities are (n,), in the order of ``anime_ids``.
    users
        Whose hidden anime are all among ``anime_ids`` (n,), as `restrict_hidden` leaves them.
    """
    scores, likes = [], []
    for user in users:
        at = find_positions(anime_ids, user.hidden_ids)
        predicted = predict(user)
        assert predicted.predicted_score is not None
        scores.append(predicted.predicted_score(at))
        if predicted.like_probability is not None:
            likes.append(predicted.like_probability[at])
    score = np.concatenate(scores)
    given, label = _hidden_targets(users)
    is_scored, is_labelled = given > 0, label >= 0
    truth = label[is_labelled] > 0
    squares = (np.clip(score, MIN_RATING, MAX_RATING) - given)[is_scored] ** 2
    mse = float(squares.mean()) if len(squares) else float("nan")
    order, says_like, log_loss = score[is_labelled], score[is_labelled] > MIN_LIKED_SCORE, np.nan
    if len(likes) == len(users):
        order = np.concatenate(likes)[is_labelled]
        says_like, log_loss = order > 0.5, mean_log_loss(order, truth)
    return _prediction_metrics(mse, log_loss, says_like, truth, roc_auc(order, truth), is_scored)


def base_rate_metrics(users: Sequence[HoldoutUser]) -> PredictionMetrics:
    """Predicting a like for everything, as probable as likes are on average."""
    label = _hidden_targets(users)[1]
    truth = label[label >= 0] > 0
    rate = np.full(len(truth), truth.mean() if len(truth) else np.nan)
    says_like = np.ones(len(truth), bool)
    log_loss = mean_log_loss(rate, truth)
    return _prediction_metrics(np.nan, log_loss, says_like, truth, 0.5, np.zeros(0, bool))


def _hidden_targets(users: Sequence[HoldoutUser]) -> tuple[Float64Array, Int8Array]:
    """Scores (0 for none) and labels (-1 for none) of all hidden entries."""
    given = np.concatenate([user.hidden_scores for user in users])
    return given, like_labels(given, np.concatenate([user.hidden_status for user in users]))


def _prediction_metrics(
    mse: float,
    log_loss: float,
    says_like: BoolArray,
    truth: BoolArray,
    auc: float,
    is_scored: BoolArray,
) -> PredictionMetrics:
    return PredictionMetrics(
        mse,
        float(np.sqrt(mse)),
        log_loss,
        *classification_metrics(says_like, truth),
        auc,
        int(is_scored.sum()),
        len(truth),
    )
