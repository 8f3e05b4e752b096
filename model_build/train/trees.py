"""Boosted trees (LightGBM), as the flat arrays that serving walks (`app.recommender.trees`).

Those of the second stage of ranking learn how likely a candidate is one of the hidden anime scored
8 or more, of lists that the first stage was not trained on (`model_build.train.cross_fit`).
(Learning the order of each list instead, with ``rank_xendcg``, measures a little less and costs
more.) On the lists that are kept from the trees is found how much popularity can be held back at no
cost. Others correct what the terms of the predicted score leave over
(`app.recommender.score_correction`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from app.recommender.array_types import BoolArray, Float32Array, Float64Array
from app.recommender.rank import candidate_mask, top_items
from app.recommender.recommend import MAX_SCORE, MIN_SCORE, ItemEstimates
from app.recommender.reranking.feature_names import CORRECTION_FEATURES, FEATURES, FeatureGroup
from app.recommender.reranking.features import N_CANDIDATES, compute_features
from app.recommender.score_correction import correction_features
from app.recommender.trees import TreeEnsemble
from model_build.data.holdout import HoldoutUser
from model_build.train.model_arrays import ModelArrays, SecondStage
from model_build.util.threads import available_cpus

if TYPE_CHECKING:
    import lightgbm

DETERMINISTIC: dict[str, Any] = {
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
"""Settings by which the same data give the same bits, on any number of threads."""
MIN_ROWS_PER_THREAD = 50_000
"""With fewer, threads wait for one another at every split for longer than they save."""


def _import_lightgbm() -> ModuleType:
    """LightGBM, imported when trees are fitted: it takes a second.

    Its threads sleep while they wait for one another, as OpenMP reads when it is loaded. They would
    keep the processors busy otherwise, and beside other work take twice as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm

    return lightgbm


def _on_threads(settings: dict[str, Any], rows: int, threads: int | None) -> dict[str, Any]:
    most = threads or available_cpus()
    return settings | {"num_threads": max(1, min(most, rows // MIN_ROWS_PER_THREAD))}


def flatten_trees(booster: lightgbm.Booster) -> TreeEnsemble:
    """Write down a booster without categorical features, tree by tree, parents first."""
    rows: list[tuple[int, float, int, int, int, int]] = []

    def add(node: dict[str, Any]) -> int:
        at = len(rows)
        if "split_feature" not in node:
            rows.append((-1, node["leaf_value"], 0, 0, 0, max(1, node.get("leaf_count", 1))))
            return at
        # A feature that had no missing values in training counts a missing one as zero.
        nan_left = (
            node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0.0
        )
        rows.append((0, 0.0, 0, 0, 0, 0))
        left, right = add(node["left_child"]), add(node["right_child"])
        rows[at] = (
            node["split_feature"],
            node["threshold"],
            left,
            right,
            int(nan_left),
            max(1, node["internal_count"]),
        )
        return at

    roots = [add(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]
    feature, threshold, left, right, nan_left, cover = zip(*rows, strict=True)
    return TreeEnsemble(
        np.array(roots, np.int32),
        np.array(feature, np.int16),
        np.array(threshold, np.float64),
        np.array(left, np.int32),
        np.array(right, np.int32),
        np.array(nan_left, np.uint8),
        np.array(cover, np.int32),
    )


def tree_arrays(name: str, trees: TreeEnsemble) -> dict[str, npt.NDArray[Any]]:
    """Return an ensemble as the arrays of a model."""
    return {f"{name}_{field.name}": getattr(trees, field.name) for field in fields(trees)}


NEW_SERIES_WEIGHT = 3.0
"""That of a candidate of a series of which nothing was seen: there are few that are found."""
TRAINING_DEPTH = 150
"""Candidates of a list that are learnt from: what comes later is hardly ever moved to the top."""
RELEVANT_SCORE = 8.0
N_RANKED = 10
RERANK_ROUNDS = 250
RERANK_SETTINGS: dict[str, Any] = {
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
POPULARITY_WEIGHTS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12)
"""Those that are tried: what is taken off the log odds of an anime on e times as many lists. Beyond
them new series pay for what is shown of the little known."""
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
        if model.content_features is None:
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
            model, model.content_features, profile, affinity, estimates.score_prediction, candidates
        )
        is_new = features[:, FRANCHISE_SEEN] == 0
        weights = weight * np.where(is_new, NEW_SERIES_WEIGHT, 1.0)
        self.lists.append((features.astype(np.float32), relevant, weights))


def fit_reranker(
    training: CandidateTable,
    validation: CandidateTable,
    without: FeatureGroup | None = None,
    threads: int | None = None,
) -> tuple[SecondStage, ModelArrays]:
    """Fit the trees; also returns them as arrays, with how they were fitted and what they bring.

    That is NDCG@10 among the candidates of the ``validation``, before and after. ``threads`` are
    one a processor if not given.
    """
    trees = _fit_trees(training, without, threads)
    weight, before, after = _choose_popularity_weight(trees, validation)
    scalars = {
        "rerank_popularity_weight": weight,
        "rerank_lists": float(len(training.lists)),
        "rerank_validation_lists": float(len(validation.lists)),
        "rerank_validation_ndcg_before": before,
        "rerank_validation_ndcg": after,
    }
    return SecondStage(trees, weight), ModelArrays(tree_arrays("rerank", trees), scalars)


def _fit_trees(
    training: CandidateTable, without: FeatureGroup | None, threads: int | None
) -> TreeEnsemble:
    lightgbm = _import_lightgbm()
    features, relevant, weight = zip(*training.lists, strict=True)
    settings = _on_threads(RERANK_SETTINGS, sum(map(len, relevant)), threads)
    # What a split by a feature gains is multiplied by this: by 0 there is none.
    settings["feature_contri"] = [float(group is not without) for group in FEATURES.values()]
    data = lightgbm.Dataset(
        list(features),  # put together they would take as much memory once more
        np.concatenate(relevant).astype(np.float32),
        weight=np.concatenate(weight),
        feature_name=list(FEATURES),
        params={name: settings[name] for name in ("max_bin", "num_threads")},
    )
    return flatten_trees(lightgbm.train(settings, data, RERANK_ROUNDS))


def _choose_popularity_weight(
    trees: TreeEnsemble, validation: CandidateTable
) -> tuple[float, float, float]:
    """The largest weight that costs at most `MAX_LOSS`; NDCG@10 by affinity, and with it.

    Candidates come by falling affinity, so that NDCG@10 by affinity is that of their order.
    """
    from sklearn.metrics import ndcg_score  # late: it takes a second to import

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


CORRECTION = "score_correction"
CORRECTION_ROUNDS = 60
CORRECTION_SETTINGS: dict[str, Any] = {
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
        self.lists: list[tuple[Float32Array, Float64Array, Float64Array, Float64Array]] = []

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
        self.lists.append((features, score, given, np.full(len(position), weight)))

    def columns(self) -> tuple[Float32Array, Float64Array, Float64Array, Float64Array]:
        """Return features (r, f); what the terms add up to, what was given, and weights, (r,)."""
        features, score, given, weight = map(np.concatenate, zip(*self.lists, strict=True))
        return features, score, given, weight


def fit_score_correction(
    training: ScoreTable, validation: ScoreTable, threads: int | None = None
) -> ModelArrays:
    """Fit the trees, and measure on the ``validation`` scores what they bring.

    ``threads`` are one a processor if not given.
    """
    lightgbm = _import_lightgbm()
    features, score, given, weight = training.columns()
    settings = _on_threads(CORRECTION_SETTINGS, len(given), threads)
    data = lightgbm.Dataset(
        features,
        given - score,
        weight=weight,
        feature_name=list(CORRECTION_FEATURES),
        params={name: settings[name] for name in ("max_bin", "num_threads")},
    )
    trees = flatten_trees(lightgbm.train(settings, data, CORRECTION_ROUNDS))
    features, score, truth, _ = validation.columns()
    corrected = score + trees.predict(features.astype(np.float64))
    scalars = {
        f"{CORRECTION}_scores": float(len(given)),
        f"{CORRECTION}_validation_rmse_before": _rmse(score, truth),
        f"{CORRECTION}_validation_rmse": _rmse(corrected, truth),
    }
    return ModelArrays(tree_arrays(CORRECTION, trees), scalars)


def _rmse(score: Float64Array, truth: Float64Array) -> float:
    predicted = np.clip(score, MIN_SCORE, MAX_SCORE)
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))
