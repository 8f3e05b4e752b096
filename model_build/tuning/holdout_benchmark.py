"""Models fitted for one part only, measured on users that are not in their training ratings.

What two trials have in common is fitted once: grouped ratings, baselines while their settings stay,
Gram matrices, everything of the parts that are not searched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from app.recommender import Model, SortOrder
from model_build.data.grouping import GroupedRatings, group_scores
from model_build.data.holdout import HoldoutUser, index_split, split_users
from model_build.data.ratings import Ratings, ratings_fingerprint
from model_build.evaluate.evaluation import evaluate
from model_build.evaluate.ranking import model_ranker
from model_build.train.affinity import (
    SHORT_HISTORY,
    EaseRegularisation,
    GramMatrices,
    compute_gram_matrices,
    solve_ease,
)
from model_build.train.bias_model import fit_bias_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.model_arrays import (
    ModelArrays,
    affinity_arrays,
    build_in_memory_model,
    empty_affinity_arrays,
    empty_knn_arrays,
    empty_score_model_arrays,
    item_statistics_arrays,
    knn_arrays,
    score_model_arrays,
)
from model_build.train.score_model import (
    fit_gaussian_factors,
    standard_score_similarity,
    standardise_ratings,
)
from model_build.train.similarity import pearson_baseline_similarity
from model_build.train.sufficient_statistics import UserEntries, count_items
from model_build.util.errors import InputError

T = TypeVar("T")
PRUNING_STRIDE = 5
"""One user in so many is measured before the others, to give up early on bad settings."""
MIN_PRUNING_USERS = 20
"""Fewer users say nothing; then nothing is measured before the others."""


class HoldoutBenchmark:
    """Ratings without the users held out, and these users.

    ``affinity_anime`` limits the affinity to the anime on most lists, whose solution takes the cube
    of their number. ``franchise`` maps anime ids to franchises, for the metrics of new ones.

    Raises
    ------
    InputError
        There are not as many users with enough scores.
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
    ) -> None:
        self.training, self.users = index_split(split_users(ratings, n_users, seed))
        self.fingerprint = ratings_fingerprint(ratings)
        groups = franchise or {}
        self._franchise = np.array(
            [groups.get(anime, -1) for anime in self.training.anime_ids.tolist()], np.int64
        )
        self._affinity_anime = affinity_anime
        self._threads = threads
        self._cache: dict[str, tuple[object, Any]] = {}

    @property
    def pruning_users(self) -> list[HoldoutUser]:
        """A few of the users, none if they would be too few."""
        few = self.users[::PRUNING_STRIDE]
        return few if len(few) >= MIN_PRUNING_USERS else []

    def check_objective(self, objective: str) -> None:
        """Raise InputError unless `evaluate` gives a number of that name, for one user."""
        found = self.evaluate_model(
            self.fit_part("", Hyperparameters()), SortOrder.MATCH, self.users[:1]
        )
        if not isinstance(found.get(objective), int | float):
            raise InputError(f"--objective {objective}: evaluate does not measure it.")

    def evaluate_model(
        self, model: Model, order: SortOrder, users: list[HoldoutUser]
    ) -> dict[str, Any]:
        """All that `evaluate` gives."""
        return dict(evaluate(model, self._franchise, users, ranker=model_ranker(model, order)))

    def fit_part(self, part: str, settings: Hyperparameters) -> Model:
        """Return a model in which one part is as the settings say.

        For ``taste`` the affinity is there as well: predicted scores are made of both.
        """
        n_items = len(self.training.anime_ids)
        knn, taste, affinity = (
            empty_knn_arrays(n_items, self._global_mean),
            empty_score_model_arrays(n_items),
            empty_affinity_arrays(n_items),
        )
        if part == "knn":
            knn = self._fit_knn(settings)
        if part == "taste":
            taste = self._fit_score_model(settings)
        if part in ("taste", "affinity"):
            affinity = self._fit_affinity(settings)
        n_users, entries = len(self.training.user_ids), UserEntries.from_ratings(self.training)
        facts = self._cached(
            "facts", (), lambda: item_statistics_arrays(count_items(entries), n_users)
        )
        counts = {
            "fans": n_users,
            "anime": n_items,
            "entries": len(self.training),
            "ratings": int(self.training.rated_mask.sum()),
        }
        return build_in_memory_model((facts, knn, taste, affinity), counts, settings.model_dump())

    @property
    def _global_mean(self) -> float:
        return float(self._grouped_ratings.user_rating.mean())

    @property
    def _grouped_ratings(self) -> GroupedRatings:
        return self._cached("grouped", (), lambda: group_scores(self.training))

    def _fit_knn(self, settings: Hyperparameters) -> ModelArrays:
        grouped = self._grouped_ratings
        regularised = (settings.reg_user, settings.reg_item, settings.epochs)
        baselines = self._cached(
            "baselines",
            regularised,
            lambda: fit_bias_model(
                grouped,
                reg_user=settings.reg_user,
                reg_item=settings.reg_item,
                epochs=settings.epochs,
            ),
        )

        def fit() -> ModelArrays:
            similarity = pearson_baseline_similarity(
                grouped,
                baselines.residual,
                shrinkage=settings.shrinkage,
                min_support=settings.min_support,
                neighbours=settings.neighbours,
                threads=self._threads,
            )
            return knn_arrays(baselines, similarity, settings.precision)

        similar = (settings.shrinkage, settings.min_support, settings.neighbours)
        return self._cached("similarity", (*regularised, *similar, settings.precision), fit)

    def _fit_score_model(self, settings: Hyperparameters) -> ModelArrays:
        grouped = self._grouped_ratings
        standard = self._cached("standard", (), lambda: standardise_ratings(grouped))
        gaussian = self._cached(
            "gaussian",
            settings.taste_factors,
            lambda: fit_gaussian_factors(
                grouped, standard, factors=settings.taste_factors, threads=self._threads
            ),
        )
        similarity = standard_score_similarity(
            grouped,
            standard,
            neighbours=settings.taste_neighbours,
            shrinkage=settings.taste_shrinkage,
            threads=self._threads,
        )
        return score_model_arrays(standard, similarity, gaussian)

    def _fit_affinity(self, settings: Hyperparameters) -> ModelArrays:
        kind = EaseRegularisation(
            settings.affinity_ridge, settings.affinity_dropout, settings.affinity_popularity
        )
        grams = self._cached("grams", (), self._gram_matrices)
        newcomer = self._cached(
            "newcomer",
            settings.newcomer_neighbours,
            lambda: solve_ease(grams, SHORT_HISTORY, settings.newcomer_neighbours),
        )
        keep = settings.affinity_neighbours
        return self._cached(
            "affinity",
            (kind, keep, settings.newcomer_neighbours),
            lambda: affinity_arrays(solve_ease(grams, kind, keep), newcomer),
        )

    def _gram_matrices(self) -> GramMatrices:
        return compute_gram_matrices(
            self.training, max_items=self._affinity_anime, threads=self._threads
        )

    def _cached(self, step: str, key: object, work: Callable[[], T]) -> T:
        """Do ``work``, whose result is cached until the step is asked for with another key."""
        if step not in self._cache or self._cache[step][0] != key:
            self._cache.pop(step, None)  # frees its memory for the next
            self._cache[step] = (key, work())
        found: T = self._cache[step][1]
        return found


def franchise_by_anime(anime_id: list[int], franchise: list[int | None]) -> dict[int, int]:
    """Return the mapping that `HoldoutBenchmark` takes, from two columns of a catalogue."""
    return {
        anime: group
        for anime, group in zip(anime_id, franchise, strict=True)
        if group is not None and group >= 0
    }
