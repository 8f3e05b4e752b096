"""Hakken and other recommenders on one split, measured by the same code.

This is how any change to ranking is judged.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from app.catalogue import Catalogue
from app.recommender import EngineName, Model, SortOrder
from app.recommender.artifact import DatasetInfo, write_artifact
from model_build.data.catalogue import encode_catalogue
from model_build.data.holdout_users import HoldoutUser, join_holdout
from model_build.data.interactions import Interactions
from model_build.data.ratings import Ratings, index_ratings
from model_build.data.splitting import split_users
from model_build.engines import als
from model_build.engines.base import FittedEngine, add_engine
from model_build.engines.neural_engines import NEURAL_ENGINES, network_trainer
from model_build.evaluate.evaluation import franchises_and_genres, model_ranker
from model_build.evaluate.ranking_results import (
    EvaluationItems,
    Ranker,
    rank_users,
    unlisted_item_ranker,
)
from model_build.evaluate.reference_models import REFERENCE_MODELS
from model_build.evaluate.summary import metrics_report
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.training import (
    build_timestamp,
    make_model_version,
    ratings_fingerprint,
    train_model,
)

ORDER_TITLES = {str(order): f"Hakken, {order}" for order in SortOrder}
ENGINES_BY_NAME = {f"engine-{name}": EngineName(name) for name in (EngineName.ALS, *NEURAL_ENGINES)}
RECOMMENDER_NAMES = (*REFERENCE_MODELS, *ORDER_TITLES, *ENGINES_BY_NAME)
NAMES_WITHOUT_TORCH = tuple(
    name for name in RECOMMENDER_NAMES if ENGINES_BY_NAME.get(name) not in NEURAL_ENGINES
)


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One recommender: ``measured`` as `evaluate` gives it, and what it took.

    ``train_seconds`` is for all that the recommender needs; Hakken's orders share one training.
    """

    name: str
    title: str
    train_seconds: float
    milliseconds_a_fan: float
    measured: dict[str, Any]


def compare_recommenders(
    ratings: Ratings,
    catalogue: pl.DataFrame | None,
    names: Sequence[str],
    *,
    n_users: int,
    seed: int,
    progress: bool = False,
) -> Iterator[ComparisonRow]:
    """Take ``fans`` fans out of the ratings, train every recommender on the rest and measure it.

    Rows come in the order of `NAMES`, each as soon as it is known.

    Raises:
        InputError: there are not enough fans, or what is asked for needs a package that is not
            installed; before anything is trained.
    """
    for name in names:
        if ENGINES_BY_NAME.get(name) in NEURAL_ENGINES:
            network_trainer(ENGINES_BY_NAME[name])
    parts = split_users(ratings, n_users, seed)
    training = index_ratings(parts["ratings"])
    holdout = join_holdout(index_ratings(parts["lists"]), index_ratings(parts["holdout"]))
    encoded = encode_catalogue(catalogue, training.anime_ids)
    return _comparison_rows(training, holdout, encoded, names, progress)


def _comparison_rows(
    training: Ratings,
    holdout: list[HoldoutUser],
    encoded: bytes,
    names: Sequence[str],
    progress: bool,
) -> Iterator[ComparisonRow]:
    anime = _evaluation_items(training, encoded)
    measure = partial(_evaluate_ranker, items=anime, users=holdout, progress=progress)
    for name, peer in REFERENCE_MODELS.items():
        if name not in names:
            continue
        rows = []
        for fit in peer.fits:
            start = time.perf_counter()
            score = fit(training)
            seconds = time.perf_counter() - start
            ranker = unlisted_item_ranker(anime, score, predicts_ratings=peer.predicts_ratings)
            rows.append(measure(name, peer.title, seconds, ranker))
        yield _best_row(rows)
    orders = [SortOrder(name) for name in ORDER_TITLES if name in names]
    engines = {name: engine for name, engine in ENGINES_BY_NAME.items() if name in names}
    if orders or engines:
        with trained_default_model(training, encoded, progress) as (model, seconds):
            for order in orders:
                yield measure(str(order), ORDER_TITLES[order], seconds, model_ranker(model, order))
            for name, engine in engines.items():
                rows = []
                for fit_engine in _engine_fits(engine, training, progress):
                    with _model_with_engine(model, engine, fit_engine) as (other, fitting):
                        ranker = model_ranker(other, engine=engine)
                        rows.append(measure(name, f"Hakken, engine {engine}", fitting, ranker))
                yield _best_row(rows)


def _best_row(rows: Sequence[ComparisonRow]) -> ComparisonRow:
    return max(rows, key=lambda row: float(np.nan_to_num(row.measured["ndcg@10"])))


def _engine_fits(
    engine: EngineName, training: Ratings, progress: bool
) -> list[Callable[[], FittedEngine]]:
    """Fitting an engine, once with each of the settings that are tried."""
    if engine in NEURAL_ENGINES:
        fit, defaults = network_trainer(engine)
        return [partial(fit, training, training.anime_ids, defaults, progress=progress)]
    interactions = Interactions.from_ratings(training)
    return [partial(als.fit, interactions, training.anime_ids, each) for each in als.SETTINGS_GRID]


@contextmanager
def _model_with_engine(
    model: Model, engine: EngineName, fit: Callable[[], FittedEngine]
) -> Iterator[tuple[Model, float]]:
    """The model with an engine, written and opened as it is served, and the seconds of the fit."""
    start = time.perf_counter()
    fitted = fit()
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        add_engine(model.catalogue_path.parent, engine, fitted, path)
        yield Model.open(path), seconds


def _evaluate_ranker(
    name: str,
    title: str,
    train_seconds: float,
    ranker: Ranker,
    *,
    items: EvaluationItems,
    users: Sequence[HoldoutUser],
    progress: bool,
) -> ComparisonRow:
    ranker(users[0].visible)  # compiles what is compiled at first use
    result = rank_users(ranker, items, users, progress=progress, name=name)
    return ComparisonRow(
        name,
        title,
        train_seconds,
        1000 * result.seconds / len(users),
        metrics_report(result, items),
    )


def _evaluation_items(training: Ratings, encoded: bytes) -> EvaluationItems:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalogue"
        path.write_bytes(encoded)
        franchise, genres = franchises_and_genres(Catalogue.open(path), training.anime_ids)
    lists = np.bincount(training.item, minlength=len(training.anime_ids)).astype(np.int32)
    return EvaluationItems.from_catalogue(
        training.anime_ids, franchise, lists, len(training.user_ids), genres
    )


@contextmanager
def trained_default_model(
    training: Ratings, encoded: bytes, progress: bool
) -> Iterator[tuple[Model, float]]:
    """A model with the default settings, written and opened as it is served, and the seconds."""
    settings, created = Hyperparameters(), build_timestamp()
    start = time.perf_counter()
    done = train_model(training, settings, progress=progress)
    seconds = time.perf_counter() - start
    dataset = DatasetInfo(name="comparison", fingerprint=ratings_fingerprint(training))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        write_artifact(
            path,
            version=make_model_version(created, dataset.fingerprint, settings),
            created=created.isoformat(timespec="seconds"),
            dataset=dataset,
            counts=done.counts,
            hyperparameters=done.hyperparameters,
            metrics={},
            arrays=done.arrays,
            catalogue=encoded,
        )
        yield Model.open(path), seconds
