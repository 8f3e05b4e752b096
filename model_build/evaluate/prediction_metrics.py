"""How well scores and interactions are foretold: pairs of fan and anime that were hidden.

An interaction is what `app.recommender.engines.labels` takes for liked or not liked. Rankings
are not looked at here; `comparison` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.recommender import UserList
from app.recommender.array_types import BoolArray, Float64Array, Int8Array, Int32Array, Int64Array
from app.recommender.engines.labels import LIKE_THRESHOLD, like_labels
from model_build.data.ratings import Ratings

MIN_RATING, MAX_RATING = 1.0, 10.0
LIKED_SCORE = LIKE_THRESHOLD + 0.5
MIN_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class Prediction:
    """For each wanted anime: the ``score``, and the ``chance`` that it is liked, if it tells one.

    One who tells scores only takes what would be scored above 5 (5.5 after rounding) for liked.
    """

    rating: Float64Array
    like_probability: Float64Array | None = None


@dataclass(frozen=True, slots=True)
class HoldoutPairs:
    """A fan's visible list, and hidden entries as positions in the anime trained on."""

    user_id: str
    visible: UserList
    position: Int64Array
    score: Float64Array
    status: Int8Array


Predictor = Callable[[HoldoutPairs], Prediction]


@dataclass(frozen=True, slots=True)
class PredictionMetrics:
    """The measures; NaN where there is none.

    ``loss`` and ``rmse`` are of scores, ``entropy`` (mean cross-entropy) and the rest of
    interactions. ``pairs`` and ``labels`` are how many each is over.
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


def holdout_pairs(lists: Ratings, holdout: Ratings, anime_ids: Int32Array) -> list[HoldoutPairs]:
    """Fans with a hidden entry whose anime is among ``anime_ids``."""
    visible = {str(fan): rows for fan, rows in _rows_by_user(lists)}
    none = np.empty(0, np.int64)
    found = []
    for fan, rows in _rows_by_user(holdout):
        ids = holdout.anime_ids[holdout.item[rows]]
        at = np.minimum(np.searchsorted(anime_ids, ids), len(anime_ids) - 1)
        there = anime_ids[at] == ids
        rows, seen = rows[there], visible.get(str(fan), none)
        listed = UserList(
            lists.anime_ids[lists.item[seen]].astype(np.int64),
            lists.rating[seen],
            lists.status[seen],
        )
        if len(rows):
            found.append(
                HoldoutPairs(
                    str(fan), listed, at[there], holdout.rating[rows], holdout.status[rows]
                )
            )
    return found


def evaluate_predictor(predict: Predictor, users: Sequence[HoldoutPairs]) -> PredictionMetrics:
    """Ask for every fan, and compare over all pairs."""
    predictions = [predict(fan) for fan in users]
    score = np.concatenate([part.rating for part in predictions])
    given = np.concatenate([fan.score for fan in users])
    label = like_labels(given, np.concatenate([fan.status for fan in users]))
    scored, judged = given > 0, label >= 0
    squares = (np.clip(score, MIN_RATING, MAX_RATING) - given)[scored] ** 2
    loss = float(squares.mean()) if len(squares) else float("nan")
    order, yes, entropy = score[judged], score[judged] > LIKED_SCORE, float("nan")
    chances = [part.like_probability for part in predictions]
    if all(chance is not None for chance in chances):
        order = np.concatenate([chance for chance in chances if chance is not None])[judged]
        yes, entropy = order > 0.5, mean_log_loss(order, label[judged] > 0)
    return PredictionMetrics(
        loss,
        float(np.sqrt(loss)),
        entropy,
        *_classification_metrics(yes, label[judged] > 0),
        roc_auc(order, label[judged] > 0),
        int(scored.sum()),
        int(judged.sum()),
    )


def base_rate_metrics(users: Sequence[HoldoutPairs]) -> PredictionMetrics:
    """Taking everything for liked, as likely as it is on average: the base rate."""
    label = like_labels(
        *(np.concatenate([getattr(fan, part) for fan in users]) for part in LABEL_FIELDS)
    )
    truth = label[label >= 0] > 0
    nan = float("nan")
    rate = np.full(len(truth), truth.mean() if len(truth) else nan)
    answers = _classification_metrics(np.ones(len(truth), bool), truth)
    return PredictionMetrics(nan, nan, mean_log_loss(rate, truth), *answers, 0.5, 0, len(truth))


LABEL_FIELDS = ("score", "status")


def mean_log_loss(probability: Float64Array, truth: BoolArray) -> float:
    """Mean of -log of the chance given to what happened."""
    given = np.clip(np.where(truth, probability, 1.0 - probability), MIN_PROBABILITY, 1.0)
    return float(-np.log(given).mean()) if len(given) else float("nan")


def roc_auc(scores: Float64Array, truth: BoolArray) -> float:
    """The share of pairs of a liked and a not liked one in which the liked is put higher.

    Equals count half (Mann and Whitney 1947).
    """
    yes, no = np.sort(scores[truth]), np.sort(scores[~truth])
    if not len(yes) or not len(no):
        return float("nan")
    below = np.searchsorted(no, yes, side="left")
    equal = np.searchsorted(no, yes, side="right") - below
    return float((below + 0.5 * equal).mean() / len(no))


def _classification_metrics(predicted: BoolArray, truth: BoolArray) -> tuple[float, float, float]:
    """Accuracy, precision and recall."""

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    right = int((predicted & truth).sum())
    return (
        share(int((predicted == truth).sum()), len(truth)),
        share(right, int(predicted.sum())),
        share(right, int(truth.sum())),
    )


def _rows_by_user(ratings: Ratings) -> list[tuple[object, Int64Array]]:
    order = np.argsort(ratings.user, kind="stable")
    edges = np.cumsum(np.bincount(ratings.user, minlength=len(ratings.user_ids)))
    rows = np.split(order, edges[:-1])
    return list(zip(ratings.user_ids.to_list(), rows, strict=True))
