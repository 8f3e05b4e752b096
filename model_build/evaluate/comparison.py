"""Hakken and other recommenders on one split, measured by the same code: three tables.

- `compare_recommenders`: rankings for users that nobody was trained on.
- `compare_predictors`: scores and likes.
- `compare_implicit`: masked interactions, scores aside.

This is how any change to ranking is judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from app.recommender import EngineName, SortOrder, UserList
from app.recommender.array_types import Float64Array, Int32Array
from app.recommender.arrays import find_positions
from model_build.data.holdout import (
    HoldoutUser,
    index_split,
    restrict_hidden,
    split_pairs,
    split_users,
)
from model_build.data.interactions import Interactions, MaskedInteractions, MaskedUsers
from model_build.data.ratings import Ratings, index_ratings
from model_build.data.watch_order import ensure_series
from model_build.engines import als
from model_build.engines.als import AlsSettings
from model_build.engines.base import FittedEngine
from model_build.engines.registry import NEURAL_ENGINES, engine_in_memory, network_trainer
from model_build.evaluate.evaluation import build_catalogue, franchises_and_genres
from model_build.evaluate.hakken_model import (
    ABLATIONS,
    FIRST_STAGE,
    ORDER_TITLES,
    SCORE_PARTS,
    HakkenModel,
    item_facts,
    timed,
)
from model_build.evaluate.implicit import (
    constant_scorer,
    evaluate_known_and_new,
    fit_and_evaluate,
    ranker_scorer,
)
from model_build.evaluate.metrics import metrics_report
from model_build.evaluate.ranking import (
    EvaluationItems,
    RankedItems,
    Ranker,
    engine_ranker,
    model_ranker,
    rank_users,
)
from model_build.evaluate.rating_prediction import (
    Predictor,
    base_rate_metrics,
    evaluate_predictions,
)
from model_build.evaluate.reference_models import REFERENCE_MODELS
from model_build.train.affinity import default_min_entries
from model_build.util.errors import InputError

if TYPE_CHECKING:
    from model_build.engines.network_training import NetworkSettings

ENGINES_BY_NAME = {f"engine-{name}": EngineName(name) for name in (EngineName.ALS, *NEURAL_ENGINES)}
RECOMMENDER_NAMES = (
    *REFERENCE_MODELS,
    FIRST_STAGE,
    *ORDER_TITLES,
    *ENGINES_BY_NAME,
    *SCORE_PARTS,
    *ABLATIONS,
)
DEFAULT_NAMES = tuple(
    name
    for name in RECOMMENDER_NAMES
    if name not in SCORE_PARTS | ABLATIONS and ENGINES_BY_NAME.get(name) not in NEURAL_ENGINES
)
SVD_NAME = "svd"
ORDER_PREDICTORS = {
    "knn-baseline": ("KNN with baseline", SortOrder.SCORE),
    "match": ("Hakken", SortOrder.MATCH),
}
PREDICTOR_NAMES = (*NEURAL_ENGINES, SVD_NAME, *ORDER_PREDICTORS)
SplitKind = Literal["fans", "pairs"]


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One recommender: ``measured`` by the name of the metric, and what it took.

    ``train_seconds`` is for all that the recommender needs; Hakken's orders share one training.
    ``missing`` says why nothing was measured, "" where something was.
    """

    name: str
    title: str
    train_seconds: float
    milliseconds_a_fan: float
    measured: Mapping[str, Any]
    missing: str = ""

    @classmethod
    def of_missing(cls, name: str, title: str, reason: str) -> ComparisonRow:
        """Return the row of what could not be measured."""
        return cls(name, title, math.nan, math.nan, {}, reason.rstrip("."))


def compare_recommenders(
    ratings: Ratings,
    catalogue: pl.DataFrame | None,
    names: Sequence[str],
    *,
    n_users: int,
    seed: int,
) -> Iterator[ComparisonRow]:
    """Take users out of the ratings, train every recommender on the rest and measure its rankings.

    Rows come in the order of `RECOMMENDER_NAMES`, each as soon as it is known; they hold what
    `metrics_report` gives.
    """
    for name in names:
        _require_package(ENGINES_BY_NAME.get(name, name))
    catalogue = None if catalogue is None else ensure_series(catalogue)  # once: it takes seconds
    training, users = index_split(split_users(ratings, n_users, seed))
    items = _evaluation_items(training, catalogue)
    measure = partial(_measure_ranking, items=items, users=users)
    hakken = HakkenModel(training, catalogue, names)

    def rows() -> Iterator[ComparisonRow]:
        for name, reference in REFERENCE_MODELS.items():
            if name in names:
                fits = (timed(partial(fit, training)) for fit in reference.fits)
                yield _best_row(measure(name, reference.title, took, r) for r, took in fits)
        for name, title, ranker in hakken.rankers(names):
            yield measure(name, title, hakken.seconds, ranker)
        for name, engine in ENGINES_BY_NAME.items():
            if name in names:
                title = f"Hakken, engine {engine}"
                fitted = (timed(fit) for fit in _engine_fits(engine, training))
                rankers = (
                    (model_ranker(hakken.model(engine, fit), engine=engine), took)
                    for fit, took in fitted
                )
                yield _best_row(measure(name, title, took, ranker) for ranker, took in rankers)
        for name, title, ablated in hakken.ablations(names):
            if ablated is None:
                reason = "there are too few fans to fit a second stage"
                yield ComparisonRow.of_missing(name, title, reason)
            else:
                yield measure(name, title, hakken.seconds, ablated)

    return rows()


def _best_row(rows: Iterable[ComparisonRow]) -> ComparisonRow:
    return max(rows, key=lambda row: float(np.nan_to_num(row.measured["ndcg@10"])))


def _engine_fits(engine: EngineName, training: Ratings) -> list[Callable[[], FittedEngine]]:
    """Fitting an engine, once with each of the settings that are tried."""
    if engine in NEURAL_ENGINES:
        fit, defaults = network_trainer(engine)
        return [partial(fit, training, training.anime_ids, defaults)]
    interactions = Interactions.from_ratings(training)
    return [partial(als.fit, interactions, training.anime_ids, each) for each in als.SETTINGS_GRID]


def _measure_ranking(
    name: str,
    title: str,
    train_seconds: float,
    ranker: Ranker,
    *,
    items: EvaluationItems,
    users: Sequence[HoldoutUser],
) -> ComparisonRow:
    ranker(users[0].visible)  # compiles what is compiled at first use
    result = rank_users(ranker, items, users, name=name)
    milliseconds = 1000 * result.seconds / len(users)
    return ComparisonRow(name, title, train_seconds, milliseconds, metrics_report(result, items))


def _evaluation_items(training: Ratings, catalogue: pl.DataFrame | None) -> EvaluationItems:
    facts = build_catalogue(catalogue, training.anime_ids)
    franchise, genres = franchises_and_genres(facts, training.anime_ids)
    ids, n_users = training.anime_ids, len(training.user_ids)
    lists = np.bincount(training.item, minlength=len(ids)).astype(np.int32)
    year, as_of = None, 0
    if catalogue is not None:
        known = item_facts(catalogue)
        year = known.item_years(ids)
        as_of = known.find_as_of(ids, lists, default_min_entries(n_users))
    return EvaluationItems.from_catalogue(
        training.anime_ids, franchise, lists, n_users, genres, year, as_of
    )


def compare_predictors(
    ratings: Ratings,
    names: Sequence[str],
    settings: Callable[[str, NetworkSettings], NetworkSettings],
    *,
    split: SplitKind,
    n_users: int,
    seed: int,
) -> Iterator[ComparisonRow]:
    """How well scores and likes are predicted; rows as they become known, the base rate first.

    Rows hold `PredictionMetrics` by name. ``settings`` changes the defaults of each network, given
    its name. What needs a package that is not installed, or cannot be trained on these ratings, has
    a row that says so.
    """
    missing = missing_requirements(names)
    if names and len(missing) == len(set(names)):
        raise InputError(next(iter(missing.values())))
    parts = (split_users if split == "fans" else split_pairs)(ratings, n_users, seed)
    training, users = index_split(parts, rated_only=False)
    ids = training.anime_ids
    users = restrict_hidden(users, ids)
    measure = partial(_measure_predictions, users=users, anime_ids=ids)

    def fit_network(name: str) -> Predictor:
        fit, defaults = network_trainer(name)
        fitted = fit(training, ids, settings(name, defaults))
        ranker = engine_ranker(engine_in_memory(name, fitted, len(ids)), ids)
        return _visible_list_predictor(ranker)

    fits: dict[str, tuple[str, Callable[[], Predictor]]] = {
        name: (title, partial(fit_network, name)) for name, (title, _) in NEURAL_ENGINES.items()
    }
    lists = (parts["ratings"], parts["lists"]) if split == "fans" else (parts["ratings"],)
    fits[SVD_NAME] = ("SVD (scikit-surprise)", partial(_fit_surprise_svd, lists, ids))

    def rows() -> Iterator[ComparisonRow]:
        base = asdict(base_rate_metrics(users))
        yield ComparisonRow("base", "always yes (base rate)", 0.0, 0.0, base)
        for name, (title, fit) in fits.items():
            if name in names:
                try:
                    _require_package(name)
                    predict, took = timed(fit)
                except InputError as error:
                    yield ComparisonRow.of_missing(name, title, str(error))
                else:
                    yield measure(name, title, took, predict)
        hakken = HakkenModel(training)
        for name, (title, order) in ORDER_PREDICTORS.items():
            if name in names:
                predict = _visible_list_predictor(hakken.ranker(order))
                yield measure(name, title, hakken.seconds, predict)

    return rows()


def _visible_list_predictor(ranker: Ranker) -> Predictor:
    return lambda user: ranker(user.visible)


def _measure_predictions(
    name: str,
    title: str,
    seconds: float,
    predict: Predictor,
    *,
    users: Sequence[HoldoutUser],
    anime_ids: Int32Array,
) -> ComparisonRow:
    with threadpool_limits(1, "blas"):
        predict(users[0])  # compiles what is compiled at first use
        metrics, taken = timed(lambda: evaluate_predictions(predict, users, anime_ids))
    return ComparisonRow(name, title, seconds, 1000 * taken / len(users), asdict(metrics))


def _fit_surprise_svd(lists: Sequence[pl.DataFrame], anime_ids: Int32Array) -> Predictor:
    """Surprise's SVD with its defaults, which cannot fold in: trained on the visible lists, too."""
    from surprise import SVD

    from model_build.evaluate.surprise_estimator import surprise_dataset

    visible = index_ratings(pl.concat(lists))
    data = surprise_dataset(visible, np.flatnonzero(visible.rated_mask))
    trainset = data.construct_trainset(data.raw_ratings)
    model = SVD(random_state=0).fit(trainset)
    inner = np.array([trainset.to_raw_iid(item) for item in trainset.all_items()])
    at = find_positions(anime_ids, inner)
    item_bias = np.zeros(len(anime_ids))
    item_factors = np.zeros((len(anime_ids), model.qi.shape[1]))
    item_bias[at[at >= 0]], item_factors[at[at >= 0]] = model.bi[at >= 0], model.qi[at >= 0]

    def predict(user: HoldoutUser) -> RankedItems:
        score: Float64Array = trainset.global_mean + item_bias
        try:
            known = trainset.to_inner_uid(user.user_id)
        except ValueError:
            pass  # nothing of the list is scored
        else:
            score = score + model.bu[known] + item_factors @ model.pu[known]
        clipped = np.clip(score, 1.0, 10.0)
        return RankedItems(score, np.ones(len(score), bool), clipped.take)

    return predict


def compare_implicit(
    masked: MaskedInteractions,
    settings: Mapping[str, tuple[str, AlsSettings]],
    *,
    include_hakken: bool = True,
    new_users: MaskedUsers | None = None,
) -> Iterator[ComparisonRow]:
    """Rows for popularity, ALS with each of the settings, and Hakken, as soon as they are known.

    ``settings`` are titles and settings of ALS by the names of rows.
    ``new_users`` are users kept from training to measure on; all of them by default. Hakken's own
    ranking learns from scores, and is left out where there are none.
    """
    new_users = masked.new_users if new_users is None else new_users
    popular = constant_scorer(masked.item_counts)
    measured = evaluate_known_and_new(masked, new_users, popular, popular)
    yield ComparisonRow("popularity", "Popularity", 0.0, np.nan, measured)
    for name, (title, each) in settings.items():
        seconds, measured = fit_and_evaluate(masked, each, new_users=new_users)
        yield ComparisonRow(name, title, seconds, np.nan, measured)
    rows, entries = masked.known_users.visible_rows, masked.interactions.entries
    if include_hakken and entries.rated_mask[rows].any():
        training = index_ratings(
            pl.DataFrame(
                {
                    "user_id": entries.user[rows],
                    "anime_id": entries.anime_ids[entries.item[rows]],
                    "rating": entries.rating[rows],
                    "status": entries.status[rows],
                }
            )
        )
        hakken = HakkenModel(training)
        ranker = hakken.ranker(SortOrder.MATCH)
        # Compiles what is compiled at first use, before threads come to it.
        ranker(UserList.from_entries([(int(training.anime_ids[0]), 8.0, 2)]))
        measured = evaluate_known_and_new(
            masked,
            new_users,
            ranker_scorer(ranker, training.anime_ids, masked, masked.known_users),
            ranker_scorer(ranker, training.anime_ids, masked, new_users),
        )
        yield ComparisonRow("match", "Hakken, best match", hakken.seconds, np.nan, measured)


def missing_requirements(names: Iterable[str]) -> dict[str, str]:
    """Return which of these predictors need a package that is not installed, and what to do."""
    missing = {}
    for name in names:
        try:
            _require_package(name)
        except InputError as error:
            missing[name] = str(error)
    return missing


def _require_package(name: str) -> None:
    """Raise InputError if what is called this needs a package that is not installed."""
    if name in NEURAL_ENGINES:
        network_trainer(name)
    elif name == SVD_NAME:
        try:
            import surprise  # noqa: F401
        except ModuleNotFoundError:
            raise InputError(
                "svd needs scikit-surprise, which is not installed; "
                "run: pip install -r requirements-dev.txt, or leave svd out"
            ) from None
