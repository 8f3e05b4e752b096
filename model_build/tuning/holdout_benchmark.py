"""Models fitted for one part only, measured on users that are not in their training ratings.

They are trained as any model is (`model_build.train.driver`). What two trials have in common is
fitted once: the stages of a training whose settings stay, and everything of the parts that are not
searched is left empty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import numpy as np
from scipy.sparse import csr_array

from app.recommender import Model, SortOrder
from app.recommender.parameters import ServingParameters
from model_build.data.holdout import HoldoutUser, index_split, split_users
from model_build.data.ratings import Ratings, ratings_fingerprint
from model_build.evaluate.metrics import summary
from model_build.evaluate.ranking import (
    EvaluationItems,
    Ranker,
    RankingResult,
    model_ranker,
    rank_users,
)
from model_build.train.affinity import EaseWeights, GramMatrices, compute_gram_matrices
from model_build.train.bias_model import BiasModel
from model_build.train.checkpoints import CheckpointStore, StageT
from model_build.train.driver import ScoreSimilarity, train_model
from model_build.train.gatherer import LocalGatherer
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.model_arrays import knn_arrays
from model_build.train.score_model import GaussianFactorModel, StandardScores
from model_build.train.sufficient_statistics import ItemCounts, ItemOrdering
from model_build.util.errors import InputError

PRUNING_STRIDE = 5
"""One user in so many is measured before the others, to give up early on bad settings."""
MIN_PRUNING_USERS = 20
"""Fewer users say nothing; then nothing is measured before the others."""
AFFINITY_STAGES = ("pair-sums", "affinity", "newcomer")
PART_STAGES = {
    "": (),
    "knn": ("similarity",),
    "affinity": AFFINITY_STAGES,
    "taste": ("taste-similarity", "taste-factors", *AFFINITY_STAGES),
}
"""The stages of a training that a part consists of. Predicted scores are made of affinity, too."""


class _StageCache(CheckpointStore):
    """Stages as they were fitted last, in memory; those that are not ``wanted`` are empty."""

    def __init__(self, empty: Mapping[str, Any]) -> None:
        super().__init__(None)
        self._empty = empty
        self._fitted: dict[str, tuple[object, Any]] = {}
        self.wanted: Collection[str] = ()

    def load_or_compute(
        self,
        name: str,
        settings: object,
        compute: Callable[[], StageT],
        kind: object = None,  # noqa: ARG002
    ) -> StageT:
        """Return the stage fitted with the same settings, or fit it."""
        if name not in self.wanted:
            return cast("StageT", self._empty[name])
        if name not in self._fitted or self._fitted[name][0] != settings:
            self._fitted.pop(name, None)  # frees its memory for the next
            self._fitted[name] = (settings, compute())
        return cast("StageT", self._fitted[name][1])


class _SharedGatherer(LocalGatherer):
    """Ratings that many trainings share; affinity of the ``max_items`` on most lists alone."""

    def __init__(self, ratings: Ratings, threads: int | None, max_items: int | None) -> None:
        super().__init__(ratings, threads)
        self._max_items = max_items
        self._ordering: ItemOrdering | None = None

    def group_ratings(self, counts: ItemCounts) -> ItemOrdering:
        """Group once."""
        if self._ordering is None:
            self._ordering = super().group_ratings(counts)
        return self._ordering

    def release_scores(self) -> None:
        """Keep them: another training follows."""

    def gram_matrices(self, counts: ItemCounts, min_entries: int) -> GramMatrices:  # noqa: ARG002
        """Sum up for the items that are asked for."""
        return compute_gram_matrices(
            self._ratings, min_entries=min_entries, max_items=self._max_items, threads=self._threads
        )


class PartTrainer:
    """Trains models on the same ratings, of which one part alone is fitted."""

    def __init__(
        self,
        ratings: Ratings,
        threads: int | None = None,
        affinity_anime: int | None = None,
        parameters: ServingParameters | None = None,
    ) -> None:
        self._gatherer = _SharedGatherer(ratings, threads, affinity_anime)
        mean = float(ratings.rating[ratings.rated_mask].mean())
        self._stages = _StageCache(_empty_stages(len(ratings.anime_ids), mean))
        self._threads = threads
        self._parameters = parameters

    def fit(self, part: str, settings: Hyperparameters) -> Model:
        """Return a model in which one part (of `PART_STAGES`) is as the settings say."""
        self._stages.wanted = PART_STAGES[part]
        trained = train_model(
            self._gatherer,
            settings,
            parameters=self._parameters,
            second_stage=False,
            threads=self._threads,
            checkpoints=self._stages,
        )
        return trained.in_memory_model(self._parameters)


class HoldoutBenchmark:
    """Ratings without the users held out, and these users.

    ``affinity_anime`` limits the affinity to the anime on most lists, whose solution takes the cube
    of their number. ``franchise`` maps anime ids to franchises, for the metrics of new ones. Models
    are served with ``parameters``, by default those of a training.
    """

    def __init__(
        self,
        ratings: Ratings,
        *,
        n_users: int,
        seed: int,
        affinity_anime: int | None = None,
        franchise: dict[int, int] | None = None,
        threads: int | None = None,
        parameters: ServingParameters | None = None,
    ) -> None:
        training, self.users = index_split(split_users(ratings, n_users, seed))
        self.training = training
        self.fingerprint = ratings_fingerprint(ratings)
        groups, n_items = franchise or {}, len(training.anime_ids)
        self._items = EvaluationItems.from_catalogue(
            training.anime_ids,
            np.array([groups.get(anime, -1) for anime in training.anime_ids.tolist()], np.int64),
            np.bincount(training.item, minlength=n_items).astype(np.int32),
            len(training.user_ids),
        )
        self._trainer = PartTrainer(training, threads, affinity_anime, parameters)

    @property
    def pruning_users(self) -> list[HoldoutUser]:
        """A few of the users, none if they would be too few."""
        few = self.users[::PRUNING_STRIDE]
        return few if len(few) >= MIN_PRUNING_USERS else []

    def check_objective(self, objective: str) -> None:
        """Raise InputError unless `evaluate_model` gives a number of that name, for one user."""
        model = self.fit_part("", Hyperparameters())
        if objective not in self.evaluate_model(model, SortOrder.MATCH, self.users[:1]):
            raise InputError(f"--objective {objective}: evaluate does not measure it.")

    def rank(self, ranker: Ranker, users: Sequence[HoldoutUser]) -> RankingResult:
        """Recommend to the users."""
        return rank_users(ranker, self._items, users)

    def summarise(self, result: RankingResult) -> dict[str, float | int]:
        """All numbers that `evaluate` gives, of what `rank` gave."""
        return summary(result, self._items)

    def evaluate_model(
        self, model: Model, order: SortOrder, users: Sequence[HoldoutUser]
    ) -> dict[str, float | int]:
        """All numbers that `evaluate` gives."""
        return self.summarise(self.rank(model_ranker(model, order), users))

    def fit_part(self, part: str, settings: Hyperparameters) -> Model:
        """Return a model in which one part (of `PART_STAGES`) is as the settings say."""
        return self._trainer.fit(part, settings)


def _empty_stages(n_items: int, mean: float) -> dict[str, Any]:
    """Return the stages of a model that predicts the mean of all scores for everyone."""
    nothing, nothing_close = (csr_array((n, n), dtype=np.float32) for n in (n_items, 1))
    no_affinity = EaseWeights(nothing, nothing)
    no_biases = np.zeros(n_items)
    return {
        "similarity": knn_arrays(BiasModel.of_items(mean, no_biases), nothing),
        "taste-similarity": ScoreSimilarity(StandardScores.of_items(no_biases, 1.0), nothing),
        "taste-factors": GaussianFactorModel(  # it knows an item at least
            np.zeros(1, np.int32),
            np.zeros((1, 0), np.float32),
            np.ones(1, np.float32),
            nothing_close,
            1.0,
        ),
        "affinity": no_affinity,
        "newcomer": no_affinity,
    }
