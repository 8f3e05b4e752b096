"""Fit the second stage of ranking: boosted trees over what the first stage finds.

Cross-fitted: a model is trained on two thirds of the users, and the others, of whom a fifth of the
scores is hidden, are folded into it as visitors are. What the trees learn from so looks like what
they are asked later; learnt from a model that knows the users, they would trust it too much. Lists
come whole and, once more, cut to a few entries, so that one model serves all lengths. The trees
(LightGBM) learn how likely a candidate is one of the hidden anime scored 8 or more. (Learning the
order of each list instead, with ``rank_xendcg``, measures a little less and costs more.)

Some users are kept from the trees. On them is found how much popularity can be held back at no
cost, and what the match in percent is read off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import ndcg_score
from threadpoolctl import threadpool_limits

from app.recommender import Model
from app.recommender.affinity import score_affinity
from app.recommender.array_types import BoolArray, Float32Array, Float64Array
from app.recommender.fold_in import fold_in
from app.recommender.parameters import MatchCurve
from app.recommender.rank import candidate_mask, top_items
from app.recommender.reranking.feature_names import FEATURES, FEATURES_DIGEST
from app.recommender.reranking.features import N_CANDIDATES, compute_features
from app.recommender.reranking.trees import TreeEnsemble
from app.recommender.score_model import predict_scores
from model_build.data.holdout import HoldoutUser, cross_fit_splits, index_split, truncate_history
from model_build.data.ratings import Ratings
from model_build.train.list_sample import ListSample
from model_build.train.match_curves import fit_match_curves
from model_build.train.model_arrays import ModelArrays, TrainedModel
from model_build.train.trees import flatten_trees, tree_arrays
from model_build.util.progress import ProgressCallback, no_progress

N_FOLDS = 3
SEED = 0
MIN_USERS = 500
CUT_LENGTHS = (5, 20, 100)
CUT_WEIGHT = 0.3
"""That of a candidate of a list that was cut: with more, whole lists are ranked less well."""
NEW_SERIES_WEIGHT = 3.0
"""That of a candidate of a series of which nothing was seen: there are few that are found."""
MIN_CUT_RATIO = 1.2
"""A list is cut to a length only if it is longer by this factor."""
TRAINING_DEPTH = 150
"""Candidates of a list that are learnt from: what comes later is hardly ever moved to the top."""
VALIDATION_STRIDE = 10
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
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    # Threads wait for one another at every split: where others work, too, two take longer than one.
    "num_threads": 1,
    "verbose": -1,
}
FRANCHISE_SEEN, LOG_LISTS = (list(FEATURES).index(n) for n in ("franchise_seen", "log_lists"))
POPULARITY_WEIGHTS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1)
"""Those that are tried: what is taken off the log odds of an anime on e times as many lists."""
MAX_LOSS = 0.001
"""NDCG@10 that holding popularity back may cost."""


@dataclass(frozen=True, slots=True)
class FittedReranker:
    """Arrays and scalars of the second stage, and the curves of matches as it moves them."""

    arrays: ModelArrays
    match_curves: tuple[MatchCurve, ...]


def add_second_stage(
    trained: TrainedModel,
    lists: ListSample,
    train_first_stage: Callable[[Ratings], Model],
    on_progress: ProgressCallback = no_progress,
) -> None:
    """Fit the second stage and add it to a model; too few users leave the model without it."""
    start = time.perf_counter()
    n_users = len(lists.user)
    if n_users < MIN_USERS:
        trained.notes.append(
            f"no second stage of ranking: {n_users} fans are too few to fit it, {MIN_USERS} are "
            "needed"
        )
        return
    fitted = fit_reranker(lists.to_ratings(), train_first_stage, on_progress)
    trained.arrays |= fitted.arrays.arrays
    trained.hyperparameters |= {**fitted.arrays.scalars, "rerank_features": FEATURES_DIGEST}
    trained.match_curves = fitted.match_curves
    trained.seconds["second stage"] = time.perf_counter() - start


class _CandidateTable:
    """Candidates of many lists: ``features`` (r, f), ``relevant`` (r,), ``weight`` (r,)."""

    def __init__(self) -> None:
        self._features: list[Float32Array] = []
        self._relevant: list[BoolArray] = []
        self._weight: list[Float64Array] = []

    def add(self, features: Float64Array, relevant: BoolArray, weight: float) -> None:
        """Add the candidates of a list; one in which there is nothing to find teaches little."""
        if relevant.any():
            self._features.append(features.astype(np.float32))
            self._relevant.append(relevant)
            is_new = features[:, FRANCHISE_SEEN] == 0
            self._weight.append(weight * np.where(is_new, NEW_SERIES_WEIGHT, 1.0))

    @property
    def features(self) -> Float32Array:
        """Those of all lists, below each other."""
        return np.concatenate(self._features)

    @property
    def relevant(self) -> BoolArray:
        """Where the user scored the hidden candidate 8 or more."""
        return np.concatenate(self._relevant)

    @property
    def weight(self) -> Float64Array:
        """How much each candidate counts."""
        return np.concatenate(self._weight)

    def lists(self) -> Iterator[tuple[Float32Array, BoolArray]]:
        """Features and relevance list by list."""
        return zip(self._features, self._relevant, strict=True)

    def __len__(self) -> int:
        return len(self._relevant)


def fit_reranker(
    lists: Ratings,
    train_first_stage: Callable[[Ratings], Model],
    on_progress: ProgressCallback = no_progress,
) -> FittedReranker:
    """Fit the second stage to lists; ``train_first_stage`` makes first stages of parts of them.

    The same lists give the same bits. The scalars tell how it was fitted and what it brings:
    NDCG@10 among the candidates of users kept from the trees, before and after.
    """
    training, validation = _CandidateTable(), _CandidateTable()
    rng = np.random.default_rng(SEED)
    done, of = 0, len(lists.user_ids)
    for split in cross_fit_splits(lists, N_FOLDS, SEED):
        rest, users = index_split(split)
        model = train_first_stage(rest)
        held = users[::VALIDATION_STRIDE]
        learnt_from = [user for at, user in enumerate(users) if at % VALIDATION_STRIDE]
        # One list is too little work to share: threads of BLAS would wait for one another.
        with threadpool_limits(1, "blas"):
            for user in held:
                _add_candidates(validation, model, user, N_CANDIDATES, 1.0)
            for user in learnt_from:
                _add_candidates(training, model, user, TRAINING_DEPTH, 1.0)
                for short in _cut(user, rng):
                    _add_candidates(training, model, short, TRAINING_DEPTH, CUT_WEIGHT)
                done += 1
                on_progress("second stage", done, of)
    on_progress("second stage", of, of)
    trees = _fit_trees(training)
    weight, before, after = _choose_popularity_weight(trees, validation)
    scalars = {
        "rerank_popularity_weight": weight,
        "rerank_lists": float(len(training)),
        "rerank_validation_lists": float(len(validation)),
        "rerank_validation_ndcg_before": before,
        "rerank_validation_ndcg": after,
    }
    # The last of the first stages, and users that neither it nor the trees have seen.
    with threadpool_limits(1, "blas"):
        curves = fit_match_curves(model.with_second_stage(trees, weight), held)
    return FittedReranker(ModelArrays(tree_arrays("rerank", trees), scalars), curves)


def _cut(user: HoldoutUser, rng: np.random.Generator) -> list[HoldoutUser]:
    """The list cut to a few entries, if it has enough of them."""
    able = [n for n in CUT_LENGTHS if len(user.visible.anime_id) >= MIN_CUT_RATIO * n]
    if not able:
        return []
    return truncate_history([user], able[rng.integers(len(able))], int(rng.integers(2**31)))


def _add_candidates(
    table: _CandidateTable, model: Model, user: HoldoutUser, depth: int, weight: float
) -> None:
    """Add the first candidates of a list, without what the user could not have listed."""
    profile = fold_in(model, user.visible)
    if not len(profile.input_position) or model.item_descriptions is None:
        return
    affinity = score_affinity(model, profile)
    prediction = predict_scores(model, profile, affinity)
    allowed = candidate_mask(model, profile)
    excluded = model.find_positions(user.excluded_ids)
    allowed[excluded[excluded >= 0]] = False
    if user.collected:
        allowed &= model.item_year <= user.collected
    candidates = top_items(affinity.value, allowed, depth)
    features = compute_features(
        model, model.item_descriptions, profile, affinity, prediction, candidates
    )
    loved = model.find_positions(user.hidden_ids[user.hidden_scores >= RELEVANT_SCORE])
    table.add(features, np.isin(candidates, loved), weight)


def _fit_trees(training: _CandidateTable) -> TreeEnsemble:
    # Imported here: it takes a second, and only training needs it.
    import lightgbm

    data = lightgbm.Dataset(
        training.features,
        training.relevant.astype(np.float32),
        weight=training.weight,
        feature_name=list(FEATURES),
        params={"max_bin": SETTINGS["max_bin"]},
    )
    return flatten_trees(lightgbm.train(SETTINGS, data, ROUNDS))


def _choose_popularity_weight(
    trees: TreeEnsemble, validation: _CandidateTable
) -> tuple[float, float, float]:
    """The largest weight that costs at most `MAX_LOSS`; NDCG@10 by affinity, and with it.

    Candidates come by falling affinity, so that NDCG@10 by affinity is that of their order.
    """
    measured = {}
    scored = [
        (trees.predict(features.astype(np.float64)), features[:, LOG_LISTS], relevant)
        for features, relevant in validation.lists()
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
