"""What networks learn from, and the users left out that they are validated on. No PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from app.recommender.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from app.recommender.engines.base import EngineBiases, like_labels
from app.recommender.watch_status import WatchStatus
from model_build.data.grouping import group_scores
from model_build.data.holdout import ValidationUser, hide_scores
from model_build.data.ratings import Ratings
from model_build.train.bias_model import fit_bias_model
from model_build.util.errors import InputError

REG_USER = 15.0
MIN_LABELS = 5
"""Users with fewer entries that say whether an anime was liked teach no interactions."""
MIN_SCORES = 5
POPULARITY_DAMPING = 30.0
"""Anime with about so many users weigh half as much in `svd_init` as they would without it."""


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """Pairs of a user and an anime, with a residual score, a like (0 or 1), or both.

    ``user`` (p,) are positions in the ratings' ``user_ids``, ``item`` (p,) in their ``anime_ids``;
    ``residual`` and ``label`` (p,) are NaN where there is none. ``user_bias`` (users,) are b_u,
    ``is_trained_item`` (items,) the anime that occur. ``validation_users`` do not occur.
    """

    user: Int64Array
    item: Int64Array
    residual: Float32Array
    label: Float32Array
    user_bias: Float32Array
    baseline: EngineBiases
    is_trained_item: BoolArray
    validation_users: tuple[ValidationUser, ...]


def build_training_pairs(ratings: Ratings, *, n_validation: int, seed: int) -> TrainingPairs:
    """Biases, residuals and labels of everyone but validation users, who are drawn at random.

    At most a tenth of the users are left out.

    Raises
    ------
    InputError
        Nobody has the five scores that leaving one out takes.
    """
    is_scored = ratings.rated_mask & (ratings.status != WatchStatus.PLAN_TO_WATCH)
    count = np.bincount(ratings.user[is_scored], minlength=len(ratings.user_ids))
    eligible = np.flatnonzero(count >= MIN_SCORES)
    if len(eligible) < 2:
        raise InputError(
            f"a network stops by fans left out, and {len(eligible)} have {MIN_SCORES} scores; "
            "train on more ratings."
        )
    rng = np.random.default_rng(seed)
    n_out = max(1, min(n_validation, len(eligible) // 10))
    is_out = np.zeros(len(ratings.user_ids), bool)
    is_out[rng.choice(eligible, n_out, replace=False)] = True
    is_kept = ~is_out[ratings.user]
    is_scored &= is_kept
    fitted = fit_bias_model(group_scores(ratings, is_scored), reg_user=REG_USER)
    label = like_labels(ratings.rating, ratings.status)
    enough = np.bincount(ratings.user[label >= 0], minlength=len(is_out)) >= MIN_LABELS
    is_labelled = (label >= 0) & enough[ratings.user] & is_kept
    rows = np.flatnonzero(is_scored | is_labelled)
    user, item = ratings.user[rows].astype(np.int64), ratings.item[rows].astype(np.int64)
    expected = fitted.mean + fitted.item_bias[item] + fitted.user_bias[user]
    residual = np.where(is_scored[rows], ratings.rating[rows] - expected, np.nan)
    return TrainingPairs(
        user,
        item,
        residual.astype(np.float32),
        np.where(is_labelled[rows], label[rows], np.nan).astype(np.float32),
        fitted.user_bias.astype(np.float32),
        EngineBiases(fitted.mean, fitted.item_bias, REG_USER),
        np.bincount(item, minlength=len(ratings.anime_ids)) > 0,
        tuple(hide_scores(ratings, np.flatnonzero(is_out), rng)),
    )


def validation_losses(
    pairs: TrainingPairs,
    predict: Callable[[ValidationUser], tuple[Float64Array | None, Float64Array | None]],
) -> tuple[float, float]:
    """Mean squared error and mean cross-entropy on what the validation users hide.

    ``predict`` gives scores and logits of likes for a user's h hidden entries, (h,), None for what
    it does not predict, of which the loss is 0.
    """
    squares, entropies = [np.empty(0)], [np.empty(0)]
    for user in pairs.validation_users:
        score, logit = predict(user)
        if score is not None:
            squares.append((score - user.hidden.score) ** 2)
        if logit is not None:
            label = like_labels(user.hidden.score, user.hidden.status)
            entropies.append((np.logaddexp(0, logit) - label * logit)[label >= 0])
    square, entropy = np.concatenate(squares), np.concatenate(entropies)
    return (
        float(square.mean()) if len(square) else 0.0,
        float(entropy.mean()) if len(entropy) else 0.0,
    )


def svd_init(pairs: TrainingPairs, value: Float32Array, size: int, seed: int) -> Float32Array:
    """Where embeddings start: anime in the ``size`` largest singular directions of the values.

    ``value`` (p,) is each pair's, NaN for none. Users and anime weigh by the inverse root of their
    number of pairs, so that neither long lists nor what everybody has seen decides. Returns
    (items, size), weighted by the singular values; 0 where the data has fewer directions.
    """
    has_value = ~np.isnan(value)
    user, item = pairs.user[has_value], pairs.item[has_value]
    shape = (len(pairs.user_bias), len(pairs.is_trained_item))
    of_user, of_item = np.bincount(user, minlength=shape[0]), np.bincount(item, minlength=shape[1])
    weighted = value[has_value] / np.sqrt(of_user[user] * (of_item[item] + POPULARITY_DAMPING))
    found = np.zeros((shape[1], size), np.float32)
    rank = min(size, min(shape) - 1)
    if not weighted.any():  # everyone scores everything as expected
        return found
    start = np.random.default_rng(seed).normal(size=min(shape))
    matrix = csr_matrix((weighted.astype(np.float64), (user, item)), shape=shape)
    _, singular, right = svds(matrix, rank, v0=start)
    found[:, :rank] = (right.T * singular)[:, ::-1]
    return found
