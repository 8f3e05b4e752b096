"""Hakken as it is compared with others: its orders, and what is left of it without some part."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import polars as pl

from app.recommender import Model, SortOrder
from app.recommender.reranking.feature_names import FeatureGroup
from model_build.data.ratings import Ratings
from model_build.engines.base import FittedEngine, replace_prefixed
from model_build.evaluate.ranking import Ranker, model_ranker
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_facts import ItemFacts
from model_build.train.model_arrays import TrainedModel
from model_build.util.progress import progress_bars

ORDER_TITLES = {str(order): f"Hakken, {order}" for order in SortOrder}
FIRST_STAGE = "first-stage"
FIRST_STAGE_TITLE = "Hakken, match by affinity alone"
SCORE_PARTS = {
    "knn-term": ("Hakken, scores by the KNN term alone", {"knn_weight": 1.0}),
    "gaussian-term": ("Hakken, scores by the Gaussian alone", {"gaussian_weight": 1.0}),
}
"""Without second stage and score correction, and by one of the terms of the predicted score."""
NO_TERM = dict.fromkeys(
    ("knn_weight", "knn_weight_gain", "gaussian_weight", "gaussian_weight_gain"), 0.0
) | {"score_affinity_weight": 0.0, "score_offset": 0.0}
ABLATIONS = {
    f"without-{group}": (f"Hakken, match without {group} features", group)
    for group in (FeatureGroup.FRANCHISE, FeatureGroup.AGE, FeatureGroup.FIT, FeatureGroup.SCORE)
}
"""The second stage fitted again, but for what is about series, years, likings or scores."""
T = TypeVar("T")


class HakkenModel:
    """Hakken with default settings, trained when it is first asked for, and kept in memory.

    With a catalogue it knows what is recent and of one story; anime without lists do not join, so
    that all recommenders rank the same ones.
    """

    def __init__(
        self, training: Ratings, catalogue: pl.DataFrame | None = None, names: Collection[str] = ()
    ) -> None:
        self._training = training
        self._without = [group for name, (_, group) in ABLATIONS.items() if name in names]
        self._facts = None if catalogue is None else item_facts(catalogue)

    @cached_property
    def _trained(self) -> tuple[TrainedModel, float]:
        with progress_bars() as on_progress:
            return timed(
                lambda: train_model(
                    self._training,
                    Hyperparameters(),
                    facts=self._facts,
                    ablations=self._without,
                    on_progress=on_progress,
                )
            )

    @property
    def seconds(self) -> float:
        """What training took."""
        return self._trained[1]

    def ranker(self, order: SortOrder) -> Ranker:
        """Return the model's ranking in one order."""
        return model_ranker(self.model(), order)

    def rankers(self, names: Collection[str]) -> Iterator[tuple[str, str, Ranker]]:
        """Name, title and ranking of the first stage alone and of each order that is named."""
        if FIRST_STAGE in names:
            yield FIRST_STAGE, FIRST_STAGE_TITLE, model_ranker(self.model().without_trees())
        for name, title in ORDER_TITLES.items():
            if name in names:
                yield name, title, self.ranker(SortOrder(name))

    def ablations(self, names: Collection[str]) -> Iterator[tuple[str, str, Ranker | None]]:
        """Name, title and ranking of each ablation that is named.

        The ranking is None where there is no second stage to take something from. Features are only
        taken from one that was named when the model was made.
        """
        for name, (title, weights) in SCORE_PARTS.items():
            if name in names:
                model = self.model().without_trees()
                parameters = model.parameters.model_copy(update=NO_TERM | weights)
                yield name, title, model_ranker(model.with_parameters(parameters))
        for name, (title, group) in ABLATIONS.items():
            if name in names:
                stage = self._trained[0].ablations.get(group)
                ranker = stage and model_ranker(self.model().with_second_stage(*stage))
                yield name, title, ranker

    def model(self, engine: str = "", fitted: FittedEngine | None = None) -> Model:
        """Return the model, with an engine if there is one."""
        trained, _ = self._trained
        if fitted is not None:
            trained = replace(
                trained,
                arrays=replace_prefixed(engine, trained.arrays, fitted.arrays),
                hyperparameters=replace_prefixed(
                    engine, trained.hyperparameters, fitted.hyperparameters
                ),
            )
        return trained.in_memory_model()


def item_facts(catalogue: pl.DataFrame) -> ItemFacts:
    """Return a catalogue's facts for a training in which no anime without lists join."""
    return ItemFacts(catalogue, cold_since=0)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what some work gives, and how many seconds it took."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start
