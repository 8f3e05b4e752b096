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
from app.recommender import EngineName, Model, Order
from app.recommender.artifact import Dataset, write_artifact
from model_build.catalogue import encode_catalogue
from model_build.engines import als
from model_build.engines.base import FittedEngine, add_engine
from model_build.engines.networks import NETWORKS, trainer
from model_build.evaluation import catalogue_facts, rank_with
from model_build.fans import Fan, fans_of
from model_build.interactions import Interactions
from model_build.measures import report
from model_build.observing import Anime, Ranker, observe, rank_all_unlisted
from model_build.peers import PEERS
from model_build.ratings import Ratings, indexed
from model_build.splitting import split_fans
from model_build.training import (
    Hyperparameters,
    build_time,
    fingerprint,
    model_version,
    train,
)

HAKKEN = {str(order): f"Hakken, {order}" for order in Order}
ENGINES = {f"engine-{name}": EngineName(name) for name in (EngineName.ALS, *NETWORKS)}
NAMES = (*PEERS, *HAKKEN, *ENGINES)
WITHOUT_TORCH = tuple(name for name in NAMES if ENGINES.get(name) not in NETWORKS)


@dataclass(frozen=True, slots=True)
class Row:
    """One recommender: ``measured`` as `evaluate` gives it, and what it took.

    ``train_seconds`` is for all that the recommender needs; Hakken's orders share one training.
    """

    name: str
    title: str
    train_seconds: float
    milliseconds_a_fan: float
    measured: dict[str, Any]


def compare(
    ratings: Ratings,
    catalogue: pl.DataFrame | None,
    names: Sequence[str],
    *,
    fans: int,
    seed: int,
    progress: bool = False,
) -> Iterator[Row]:
    """Take ``fans`` fans out of the ratings, train every recommender on the rest and measure it.

    Rows come in the order of `NAMES`, each as soon as it is known.

    Raises:
        InputError: there are not enough fans, or what is asked for needs a package that is not
            installed; before anything is trained.
    """
    for name in names:
        if ENGINES.get(name) in NETWORKS:
            trainer(ENGINES[name])
    parts = split_fans(ratings, fans, seed)
    training = indexed(parts["ratings"])
    held = fans_of(indexed(parts["lists"]), indexed(parts["holdout"]))
    encoded = encode_catalogue(catalogue, training.anime_ids)
    return _rows(training, held, encoded, names, progress)


def _rows(
    training: Ratings, held: list[Fan], encoded: bytes, names: Sequence[str], progress: bool
) -> Iterator[Row]:
    anime = _facts(training, encoded)
    measure = partial(_measured, anime=anime, fans=held, progress=progress)
    for name, peer in PEERS.items():
        if name not in names:
            continue
        rows = []
        for fit in peer.settings:
            start = time.perf_counter()
            score = fit(training)
            seconds = time.perf_counter() - start
            ranker = rank_all_unlisted(anime, score, predicts=peer.predicts)
            rows.append(measure(name, peer.title, seconds, ranker))
        yield _best(rows)
    orders = [Order(name) for name in HAKKEN if name in names]
    engines = {name: engine for name, engine in ENGINES.items() if name in names}
    if orders or engines:
        with trained_model(training, encoded, progress) as (model, seconds):
            for order in orders:
                yield measure(str(order), HAKKEN[order], seconds, rank_with(model, order))
            for name, engine in engines.items():
                rows = []
                for fit_engine in _fits(engine, training, progress):
                    with _with_engine(model, engine, fit_engine) as (other, fitting):
                        ranker = rank_with(other, engine=engine)
                        rows.append(measure(name, f"Hakken, engine {engine}", fitting, ranker))
                yield _best(rows)


def _best(rows: Sequence[Row]) -> Row:
    return max(rows, key=lambda row: float(np.nan_to_num(row.measured["ndcg@10"])))


def _fits(
    engine: EngineName, training: Ratings, progress: bool
) -> list[Callable[[], FittedEngine]]:
    """Fitting an engine, once with each of the settings that are tried."""
    if engine in NETWORKS:
        fit, defaults = trainer(engine)
        return [partial(fit, training, training.anime_ids, defaults, progress=progress)]
    interactions = Interactions.of(training)
    return [partial(als.fit, interactions, training.anime_ids, each) for each in als.SETTINGS]


@contextmanager
def _with_engine(
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


def _measured(
    name: str,
    title: str,
    train_seconds: float,
    rank: Ranker,
    *,
    anime: Anime,
    fans: Sequence[Fan],
    progress: bool,
) -> Row:
    rank(fans[0].visible)  # compiles what is compiled at first use
    observed = observe(rank, anime, fans, progress=progress, name=name)
    return Row(
        name, title, train_seconds, 1000 * observed.seconds / len(fans), report(observed, anime)
    )


def _facts(training: Ratings, encoded: bytes) -> Anime:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalogue"
        path.write_bytes(encoded)
        franchise, genres = catalogue_facts(Catalogue.open(path), training.anime_ids)
    lists = np.bincount(training.item, minlength=len(training.anime_ids)).astype(np.int32)
    return Anime.of(training.anime_ids, franchise, lists, len(training.user_ids), genres)


@contextmanager
def trained_model(
    training: Ratings, encoded: bytes, progress: bool
) -> Iterator[tuple[Model, float]]:
    """A model with the default settings, written and opened as it is served, and the seconds."""
    settings, created = Hyperparameters(), build_time()
    start = time.perf_counter()
    done = train(training, settings, progress=progress)
    seconds = time.perf_counter() - start
    dataset = Dataset(name="comparison", fingerprint=fingerprint(training))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        write_artifact(
            path,
            version=model_version(created, dataset.fingerprint, settings),
            created=created.isoformat(timespec="seconds"),
            dataset=dataset,
            counts=done.counts,
            hyperparameters=done.hyperparameters,
            metrics={},
            arrays=done.arrays,
            catalogue=encoded,
        )
        yield Model.open(path), seconds
