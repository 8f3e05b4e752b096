"""What networks learn from: pairs of fan and anime, with a residual score, a label, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import BoolArray, Float32Array, Float64Array, Int8Array, Int64Array
from app.recommender.engines.bias_model import BiasModel
from app.recommender.engines.labels import like_labels
from app.recommender.user_list import KnownEntries
from app.recommender.watch_status import WatchStatus
from model_build.data.grouping import group_ratings
from model_build.data.ratings import Ratings
from model_build.train.bias_model import fit_bias_model
from model_build.util.errors import InputError

REG_USER, REG_ITEM, EPOCHS = 15.0, 10.0, 10
MIN_LABELS = 5
"""Fans with fewer entries that tell whether an anime was liked teach no interactions."""
MIN_SCORES = 5
HIDDEN_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class ValidationUser:
    """A fan left out to stop by: what is seen of the list, and what must be foretold."""

    visible: KnownEntries
    hidden_position: Int64Array
    hidden_score: Float64Array
    hidden_status: Int8Array


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """``fan`` and ``item`` (p,), ``residual`` and ``label`` (p,), NaN where there is none.

    ``item`` are positions in the ratings' ``anime_ids``, ``fan`` in their ``user_ids``; ``level``
    (fans,) are the biases of the fans; ``trained`` (items,) the anime that occur. ``hidden`` fans
    do not occur.
    """

    user: Int64Array
    item: Int64Array
    residual: Float32Array
    label: Float32Array
    user_bias: Float32Array
    baseline: BiasModel
    is_trained_item: BoolArray
    validation_users: tuple[ValidationUser, ...]


def build_training_pairs(ratings: Ratings, *, n_validation: int, seed: int) -> TrainingPairs:
    """Baselines, residuals and labels of everyone but ``validation`` fans, drawn at random.

    At most a tenth of the fans are left out.

    Raises:
        InputError: no fan has the five scores that leaving one out takes.
    """
    told = ratings.rated_mask & (ratings.status != WatchStatus.PLAN_TO_WATCH)
    count = np.bincount(ratings.user[told], minlength=len(ratings.user_ids))
    eligible = np.flatnonzero(count >= MIN_SCORES)
    if len(eligible) < 2:
        raise InputError(
            f"a network stops by fans left out, and {len(eligible)} have {MIN_SCORES} scores; "
            "train on more ratings."
        )
    rng = np.random.default_rng(seed)
    many = max(1, min(n_validation, len(eligible) // 10))
    out = np.zeros(len(ratings.user_ids), bool)
    out[rng.choice(eligible, many, replace=False)] = True
    kept = ~out[ratings.user]
    baseline, level = fit_biases(ratings, told & kept)
    label = like_labels(ratings.rating, ratings.status)
    enough = np.bincount(ratings.user[label >= 0], minlength=len(out)) >= MIN_LABELS
    labelled = (label >= 0) & enough[ratings.user] & kept
    rows = np.flatnonzero((told & kept) | labelled)
    fan, item = ratings.user[rows].astype(np.int64), ratings.item[rows].astype(np.int64)
    expected = baseline.global_mean + baseline.item_bias[item] + level[fan]
    residual = np.where(told[rows], ratings.rating[rows] - expected, np.nan)
    return TrainingPairs(
        fan,
        item,
        residual.astype(np.float32),
        np.where(labelled[rows], label[rows], np.nan).astype(np.float32),
        level.astype(np.float32),
        baseline,
        np.bincount(item, minlength=len(ratings.anime_ids)) > 0,
        tuple(hide_scores(ratings, np.flatnonzero(out), rng)),
    )


def fit_biases(ratings: Ratings, selected: BoolArray) -> tuple[BiasModel, Float64Array]:
    """The baseline of the chosen entries, and every fan's bias."""
    n = len(ratings.anime_ids)
    grouped = group_ratings(
        ratings.user, ratings.item, ratings.rating, len(ratings.user_ids), n, selected=selected
    )
    fitted = fit_bias_model(grouped, reg_user=REG_USER, reg_item=REG_ITEM, epochs=EPOCHS)
    return BiasModel(fitted.mean, fitted.item_bias, REG_USER), fitted.user_bias


def hide_scores(
    ratings: Ratings, users: Int64Array, rng: np.random.Generator
) -> list[ValidationUser]:
    """Of each fan a fifth of the scored entries is hidden, at least one."""
    order = np.argsort(ratings.user, kind="stable")
    edges = np.searchsorted(ratings.user[order], np.arange(len(ratings.user_ids) + 1))
    found = []
    for fan in users:
        rows = order[edges[fan] : edges[fan + 1]]
        scored = rng.permutation(rows[ratings.rated_mask[rows]])
        hidden = np.sort(scored[: max(1, round(HIDDEN_SHARE * len(scored)))])
        found.append(
            ValidationUser(
                entries_of_rows(ratings, np.setdiff1d(rows, hidden)),
                ratings.item[hidden].astype(np.int64),
                ratings.rating[hidden],
                ratings.status[hidden],
            )
        )
    return found


def entries_of_rows(ratings: Ratings, rows: Int64Array) -> KnownEntries:
    """Entries of one fan as a list, positions in the ratings' anime."""
    rows = rows[np.argsort(ratings.item[rows], kind="stable")]
    return KnownEntries(
        ratings.item[rows].astype(np.int64),
        ratings.rating[rows],
        ratings.status[rows],
        np.zeros(len(rows), bool),
    )
