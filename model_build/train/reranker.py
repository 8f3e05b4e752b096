"""Fit the second stage of ranking: boosted trees over what the first stage finds.

The trees (LightGBM) learn how likely a candidate is one of the hidden anime scored 8 or more, of
lists that the first stage was not trained on (`model_build.train.cross_fit`). (Learning the order
of each list instead, with ``rank_xendcg``, measures a little less and costs more.)

On the lists that are kept from the trees is found how much popularity can be held back at no cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.metrics import ndcg_score

from app.recommender.array_types import BoolArray, Float32Array, Float64Array
from app.recommender.rank import candidate_mask, top_items
from app.recommender.recommend import ItemEstimates
from app.recommender.reranking.feature_names import FEATURES, FeatureGroup
from app.recommender.reranking.features import N_CANDIDATES, compute_features
from app.recommender.trees import TreeEnsemble
from model_build.data.holdout import HoldoutUser
from model_build.train.model_arrays import ModelArrays, SecondStage
from model_build.train.trees import DETERMINISTIC, flatten_trees, tree_arrays

NEW_SERIES_WEIGHT = 3.0
"""That of a candidate of a series of which nothing was seen: there are few that are found."""
TRAINING_DEPTH = 150
"""Candidates of a list that are learnt from: what comes later is hardly ever moved to the top."""
RELEVANT_SCORE = 8.0
N_RANKED = 10
ROUNDS = 150
SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 23,
    "min_data_in_leaf": 80,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    **DETERMINISTIC,
}
FRANCHISE_SEEN, LOG_LISTS = (list(FEATURES).index(n) for n in ("franchise_seen", "log_lists"))
POPULARITY_WEIGHTS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1)
"""Those that are tried: what is taken off the log odds of an anime on e times as many lists."""
MAX_LOSS = 0.001
"""NDCG@10 that holding popularity back may cost."""


class CandidateTable:
    """Candidates of many lists: of each, ``lists`` has features (r, f), relevance and weight (r,).

    Relevant is a hidden one that the user scored 8 or more. For training only the first
    `TRAINING_DEPTH` of a list are taken, for validation all.
    """

    def __init__(self, *, is_validation: bool = False) -> None:
        self._depth = N_CANDIDATES if is_validation else TRAINING_DEPTH
        self.lists: list[tuple[Float32Array, BoolArray, Float64Array]] = []

    def add(self, estimates: ItemEstimates, user: HoldoutUser, weight: float) -> None:
        """Add the candidates of a list, without what the user could not have listed.

        A list in which there is nothing to find teaches little, and is left out.
        """
        model, profile, affinity = estimates.model, estimates.profile, estimates.affinity
        if model.item_descriptions is None:
            return
        allowed = candidate_mask(model, profile)
        excluded = model.find_positions(user.excluded_ids)
        allowed[excluded[excluded >= 0]] = False
        if user.collected:
            allowed &= model.item_year <= user.collected
        candidates = top_items(affinity.value, allowed, self._depth)
        loved = model.find_positions(user.hidden_ids[user.hidden_scores >= RELEVANT_SCORE])
        relevant = np.isin(candidates, loved)
        if not relevant.any():
            return
        features = compute_features(
            model,
            model.item_descriptions,
            profile,
            affinity,
            estimates.score_prediction,
            candidates,
        )
        is_new = features[:, FRANCHISE_SEEN] == 0
        weights = weight * np.where(is_new, NEW_SERIES_WEIGHT, 1.0)
        self.lists.append((features.astype(np.float32), relevant, weights))


def fit_reranker(
    training: CandidateTable, validation: CandidateTable, without: FeatureGroup | None = None
) -> tuple[SecondStage, ModelArrays]:
    """Fit the trees; also returns them as arrays, with how they were fitted and what they bring.

    That is NDCG@10 among the candidates of the ``validation``, before and after.
    """
    trees = _fit_trees(training, without)
    weight, before, after = _choose_popularity_weight(trees, validation)
    scalars = {
        "rerank_popularity_weight": weight,
        "rerank_lists": float(len(training.lists)),
        "rerank_validation_lists": float(len(validation.lists)),
        "rerank_validation_ndcg_before": before,
        "rerank_validation_ndcg": after,
    }
    return SecondStage(trees, weight), ModelArrays(tree_arrays("rerank", trees), scalars)


def _fit_trees(training: CandidateTable, without: FeatureGroup | None) -> TreeEnsemble:
    # Imported here: it takes a second, and only training needs it.
    import lightgbm

    features, relevant, weight = zip(*training.lists, strict=True)
    data = lightgbm.Dataset(
        list(features),  # put together they would take as much memory once more
        np.concatenate(relevant).astype(np.float32),
        weight=np.concatenate(weight),
        feature_name=list(FEATURES),
        params={"max_bin": SETTINGS["max_bin"]},
    )
    # What a split by a feature gains is multiplied by this: by 0 there is none.
    gains = {"feature_contri": [float(group is not without) for group in FEATURES.values()]}
    return flatten_trees(lightgbm.train(SETTINGS | gains, data, ROUNDS))


def _choose_popularity_weight(
    trees: TreeEnsemble, validation: CandidateTable
) -> tuple[float, float, float]:
    """The largest weight that costs at most `MAX_LOSS`; NDCG@10 by affinity, and with it.

    Candidates come by falling affinity, so that NDCG@10 by affinity is that of their order.
    """
    measured = {}
    scored = [
        (trees.predict(features.astype(np.float64)), features[:, LOG_LISTS], relevant)
        for features, relevant, _ in validation.lists
    ]

    def mean_ndcg(keys: Iterable[Float64Array]) -> float:
        return float(
            np.mean(
                [
                    ndcg_score(relevant[None], key[None], k=N_RANKED)
                    for key, (_, _, relevant) in zip(keys, scored, strict=True)
                ]
            )
        )

    for weight in POPULARITY_WEIGHTS:
        measured[weight] = mean_ndcg(score - weight * lists for score, lists, _ in scored)
    best = max(measured.values())
    weight = max(each for each, found in measured.items() if found >= best - MAX_LOSS)
    before = mean_ndcg(-np.arange(len(score), dtype=np.float64) for score, _, _ in scored)
    return weight, before, measured[weight]
