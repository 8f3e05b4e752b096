"""The engines from embeddings, KNN, SVD and Hakken on one split: scores and interactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from app.recommender import Model, RecommendOptions, SortOrder
from app.recommender.engines.base import Engine
from app.recommender.engines.labels import like_labels
from app.recommender.recommend import score_items
from app.recommender.user_list import KnownEntries
from model_build.data.catalogue import encode_catalogue
from model_build.data.ratings import Ratings, index_ratings
from model_build.data.splitting import split_users
from model_build.engines.neural_engines import NEURAL_ENGINES, engine_in_memory, network_trainer
from model_build.evaluate.comparison import trained_default_model
from model_build.evaluate.prediction_metrics import (
    HoldoutPairs,
    Prediction,
    PredictionMetrics,
    Predictor,
    base_rate_metrics,
    evaluate_predictor,
    holdout_pairs,
)
from model_build.util.errors import InputError

if TYPE_CHECKING:
    from model_build.engines.network_training import NetworkSettings

SplitKind = Literal["fans", "pairs"]
HIDDEN_SHARE = 0.2
PERCENT = 100.0
SVD = "svd"
HAKKEN_PREDICTORS = {
    "knn-baseline": ("KNN with baseline", SortOrder.SCORE),
    "match": ("Hakken", SortOrder.MATCH),
}
PREDICTOR_NAMES = (*NEURAL_ENGINES, SVD, *HAKKEN_PREDICTORS)


@dataclass(frozen=True, slots=True)
class PredictorResult:
    """One predictor: what it told, what training took, and a fan's folding in."""

    name: str
    title: str
    train_seconds: float
    ms: float
    metrics: PredictionMetrics


def compare_predictors(
    ratings: Ratings,
    names: Sequence[str],
    settings: Callable[[NetworkSettings], NetworkSettings],
    *,
    split: SplitKind,
    n_users: int,
    seed: int,
    progress: bool = False,
) -> Iterator[PredictorResult]:
    """Rows as they become known, the base rate first.

    Raises:
        InputError: there are not enough fans, or what is asked for needs a package that is not
            installed.
    """
    for name in names:
        if name in NEURAL_ENGINES:
            network_trainer(name)
    parts = (
        split_users(ratings, n_users, seed)
        if split == "fans"
        else split_pairs(ratings, n_users, seed)
    )
    training = index_ratings(parts["ratings"])
    lists = index_ratings(parts["lists"])
    holdout = holdout_pairs(lists, index_ratings(parts["holdout"]), training.anime_ids)
    yield PredictorResult("base", "always yes (base rate)", 0.0, 0.0, base_rate_metrics(holdout))
    for name in NEURAL_ENGINES:
        if name in names:
            yield _evaluate_network(name, training, holdout, settings, progress)
    if SVD in names:
        visible = (
            parts["ratings"] if split == "pairs" else pl.concat([parts["ratings"], parts["lists"]])
        )
        yield _evaluate_svd(index_ratings(visible), training, holdout)
    orders = {name: told for name, told in HAKKEN_PREDICTORS.items() if name in names}
    if orders:
        encoded = encode_catalogue(None, training.anime_ids)
        with trained_default_model(training, encoded, progress) as (model, seconds):
            for name, (title, order) in orders.items():
                yield _evaluate_predictor(
                    name, title, seconds, _model_predictor(model, order), holdout
                )


def split_pairs(ratings: Ratings, n_users: int, seed: int) -> dict[str, pl.DataFrame]:
    """A fifth of everyone's scores and interactions hidden, at random; ``fans`` are measured.

    Frames as those of `split_fans`, but the lists are among the ratings.
    """
    rng = np.random.default_rng(seed)
    told = ratings.rated_mask | (like_labels(ratings.rating, ratings.status) >= 0)
    hidden = told & (rng.random(len(ratings)) < HIDDEN_SHARE)
    able = np.unique(ratings.user[hidden])
    if n_users > len(able):
        raise InputError(f"{n_users} fans cannot be measured on, {len(able)} have pairs to hide.")
    measured = np.isin(ratings.user, rng.choice(able, n_users, replace=False))
    frame = pl.DataFrame(
        {
            "user_id": ratings.user_ids.gather(ratings.user),
            "anime_id": ratings.anime_ids[ratings.item],
            "rating": ratings.rating,
            "status": ratings.status,
        }
    )
    return {
        "ratings": frame.filter(~hidden),
        "lists": frame.filter(~hidden & measured),
        "holdout": frame.filter(hidden & measured),
    }


def _evaluate_predictor(
    name: str, title: str, seconds: float, predict: Predictor, holdout: Sequence[HoldoutPairs]
) -> PredictorResult:
    with threadpool_limits(1, "blas"):
        predict(holdout[0])  # compiles what is compiled at first use
        start = time.perf_counter()
        told = evaluate_predictor(predict, holdout)
        taken = time.perf_counter() - start
    return PredictorResult(name, title, seconds, 1000 * taken / len(holdout), told)


def _evaluate_network(
    name: str,
    training: Ratings,
    holdout: Sequence[HoldoutPairs],
    settings: Callable[[NetworkSettings], NetworkSettings],
    progress: bool,
) -> PredictorResult:
    fit, defaults = network_trainer(name)
    start = time.perf_counter()
    fitted = fit(training, training.anime_ids, settings(defaults), progress=progress)
    seconds = time.perf_counter() - start
    engine = engine_in_memory(name, fitted, len(training.anime_ids))
    return _evaluate_predictor(
        name, NEURAL_ENGINES[name][0], seconds, _engine_predictor(engine, training), holdout
    )


def _engine_predictor(engine: Engine, training: Ratings) -> Predictor:
    # Cosine embeddings learn no interactions: their match is a score on another scale.
    tells_chances = engine.name != "cosine"

    def predict(fan: HoldoutPairs) -> Prediction:
        ids, listed = training.anime_ids, fan.visible
        at = np.minimum(np.searchsorted(ids, listed.anime_id), len(ids) - 1)
        order = np.argsort(at, kind="stable")
        order = order[ids[at[order]] == listed.anime_id[order]]
        favourite = np.zeros(len(order), bool)
        known = KnownEntries(at[order], listed.score[order], listed.status[order], favourite)
        judged = engine.score(known)
        assert judged.predicted_score is not None
        chance = judged.match[fan.position] / PERCENT if tells_chances else None
        return Prediction(judged.predicted_score[fan.position], chance)

    return predict


def _model_predictor(model: Model, order: SortOrder) -> Predictor:
    def predict(fan: HoldoutPairs) -> Prediction:
        return Prediction(
            score_items(model, fan.visible, RecommendOptions(sort_order=order)).predicted_score[
                fan.position
            ]
        )

    return predict


def _evaluate_svd(
    visible: Ratings, training: Ratings, holdout: Sequence[HoldoutPairs]
) -> PredictorResult:
    """Surprise's SVD with its defaults, trained on the visible lists as well."""
    try:
        import surprise
    except ModuleNotFoundError:
        raise InputError(
            "svd needs scikit-surprise, which is not installed; "
            "run: pip install -r requirements-dev.txt, or leave svd out"
        ) from None
    scored = visible.rated_mask
    fans = visible.user_ids.cast(pl.String).gather(visible.user[scored])
    frame = pl.DataFrame(
        {
            "fan": fans,
            "anime": visible.anime_ids[visible.item[scored]],
            "score": visible.rating[scored],
        }
    )
    start = time.perf_counter()
    data = surprise.Dataset(surprise.Reader(rating_scale=(1, 10)))
    raw = [(*row, None) for row in frame.iter_rows()]
    model = surprise.SVD(random_state=0).fit(data.construct_trainset(raw))
    seconds = time.perf_counter() - start

    def predict(fan: HoldoutPairs) -> Prediction:
        ids = training.anime_ids[fan.position].tolist()
        return Prediction(np.array([model.predict(fan.user_id, anime).est for anime in ids]))

    return _evaluate_predictor(SVD, "SVD (scikit-surprise)", seconds, predict, holdout)
