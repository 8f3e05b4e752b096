"""How near `order=score` of a model is to KNN over all similarities, none cut or rounded."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.recommender import Model, SortOrder
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.arrays import ItemMatrix, find_positions
from app.recommender.fold_in import fold_in
from app.recommender.knn_baseline import predict_knn
from app.recommender.rank import candidate_mask, top_items
from model_build.data.grouping import group_scores
from model_build.data.holdout import HoldoutUser
from model_build.data.ratings import Ratings
from model_build.evaluate.ranking import model_ranker
from model_build.train.bias_model import fit_bias_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.similarity import pearson_baseline_similarity

TOP = 20


def full_knn_model(model: Model, training: Ratings) -> Model:
    """Return the model with KNN fitted again to its training ratings, and nothing cut or rounded.

    Memory: 8 bytes a pair of anime.
    """
    settings = Hyperparameters.of_manifest(model.manifest.hyperparameters)
    grouped = group_scores(training)
    biases = fit_bias_model(
        grouped, reg_user=settings.reg_user, reg_item=settings.reg_item, epochs=settings.epochs
    )
    n_trained, n = len(training.anime_ids), len(model)
    nearest = pearson_baseline_similarity(
        grouped,
        biases.residual,
        shrinkage=settings.shrinkage,
        min_support=settings.min_support,
        neighbours=n_trained,
    )
    # By anime on the list: with nothing cut, a row is a column.
    nearest.sort_indices()
    position = find_positions(model.anime_id, training.anime_ids)
    size = np.zeros(n + 1, np.int64)
    size[position + 1] = np.diff(nearest.indptr)
    full = copy.copy(model)
    full.similarity = ItemMatrix(np.cumsum(size), position[nearest.indices], nearest.data)
    full.global_mean = biases.mean
    full.item_bias = model.item_bias.copy()
    full.item_bias[position] = biases.item_bias
    return full


def compare_with_full_knn(
    model: Model, training: Ratings, users: Sequence[HoldoutUser]
) -> dict[str, float | int]:
    """Compare `order=score` with the same over all similarities, for lists that are not trained on.

    ``score_top20_kept``: how many of the 20 best of the full matrix are among the model's 20 best,
    before franchise rules, on average, and ``score_top20_kept_least`` for the list with fewest.
    ``score_largest_difference``: the largest difference of any prediction, of all anime that are
    not on the list and have the ratings to come first (``min_ratings``).
    """
    full = full_knn_model(model, training)
    may_come_first = model.rating_count >= model.parameters.min_ratings
    kept, largest = [], 0.0
    for user in users:
        served, reference = (_ranked_by_score(each, user) for each in (model, full))
        kept.append(len(np.intersect1d(served.best, reference.best)))
        concerned = may_come_first & candidate_mask(model, fold_in(model, user.visible))
        difference = np.abs(served.score - reference.score)[concerned]
        largest = max(largest, float(difference.max(initial=0.0)))
    return {
        "score_lists": len(users),
        "score_top20_kept": float(np.mean(kept)),
        "score_top20_kept_least": min(kept),
        "score_largest_difference": largest,
    }


class _Ranked(NamedTuple):
    """The `TOP` best, and predictions of all anime, not clipped."""

    best: Int64Array
    score: Float64Array


def _ranked_by_score(model: Model, user: HoldoutUser) -> _Ranked:
    ranked = model_ranker(model, SortOrder.SCORE)(user.visible)
    score = predict_knn(model, fold_in(model, user.visible)).score
    return _Ranked(top_items(ranked.sort_key, ranked.is_candidate, TOP), score)
