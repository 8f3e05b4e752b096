"""The stages of a training: each makes what no other does, and can be kept and taken up again.

A stage is kept as plain arrays with the settings that it depends on (`model_build.train.checkpoints`).
What several stages need is made once, when the first of them asks for it; if all of them are
found finished, it is not made at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from model_build.data.grouping import GroupedRatings, group_ratings
from model_build.data.ratings import Ratings
from model_build.train.affinity import (
    SHORT_HISTORY,
    EaseRegularisation,
    GramMatrices,
    compute_gram_matrices,
    solve_ease,
)
from model_build.train.bias_model import fit_bias_model
from model_build.train.checkpoints import ArrayMapping, CheckpointStore
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.model_arrays import ModelArrays, knn_arrays
from model_build.train.score_model import (
    GaussianFactorModel,
    StandardScores,
    fit_gaussian_factors,
    standard_score_similarity,
    standardise_ratings,
)
from model_build.train.similarity import pearson_baseline_similarity

T = TypeVar("T")
CSR_ARRAYS = ("data", "indices", "indptr")


class TrainingStages:
    """The stages of one training; ``seconds`` is how long each step took that was done."""

    def __init__(
        self,
        ratings: Ratings,
        hyperparameters: Hyperparameters,
        checkpoints: CheckpointStore,
        *,
        threads: int | None = None,
        progress: bool = False,
    ) -> None:
        self._ratings, self._hyperparameters, self._checkpoints = (
            ratings,
            hyperparameters,
            checkpoints,
        )
        self._threads = threads
        self._run_options: dict[str, Any] = {"threads": threads, "progress": progress}
        self._shared: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}

    def fit_knn(self) -> ModelArrays:
        """KNN with baseline."""
        s = self._hyperparameters
        biases: dict[str, Any] = {
            "reg_user": s.reg_user,
            "reg_item": s.reg_item,
            "epochs": s.epochs,
        }
        cuts: dict[str, Any] = {
            "shrinkage": s.shrinkage,
            "min_support": s.min_support,
            "neighbours": s.neighbours,
        }

        def fit() -> ModelArrays:
            grouped = self._grouped_ratings()
            baselines = self.time_step(
                "baselines", lambda: fit_bias_model(grouped, **biases, threads=self._threads)
            )
            similarity = self.time_step(
                "similarity",
                lambda: pearson_baseline_similarity(
                    grouped, baselines.residual, **cuts, **self._run_options
                ),
            )
            return knn_arrays(baselines, similarity, s.precision)

        depends_on = (biases, cuts, s.precision)
        kept = self._checkpoints.load_or_compute(
            "similarity", depends_on, lambda: fit().to_arrays()
        )
        return ModelArrays.from_arrays(kept)

    def fit_score_similarity(self) -> tuple[StandardScores, csr_array]:
        """What is known of the anime by standard scores, without the fans; and how alike they are.

        Row i of the matrix holds the neighbours of anime i.
        """
        s = self._hyperparameters

        def fit() -> ArrayMapping:
            grouped, standard = self._grouped_ratings(), self._standard_scores()
            similarity = self.time_step(
                "taste similarity",
                lambda: standard_score_similarity(
                    grouped,
                    standard,
                    neighbours=s.taste_neighbours,
                    shrinkage=s.taste_shrinkage,
                    **self._run_options,
                ),
            )
            spread = np.array([standard.overall_std])
            return {"item_bias": standard.item_bias, "spread": spread, **_csr_arrays(similarity)}

        depends_on = (s.taste_neighbours, s.taste_shrinkage)
        kept = self._checkpoints.load_or_compute("taste-similarity", depends_on, fit)
        of_fans = np.zeros(0)
        standard = StandardScores(
            kept["item_bias"], of_fans, of_fans, of_fans, float(kept["spread"][0])
        )
        return standard, self._csr_matrix(kept)

    def fit_gaussian(self) -> GaussianFactorModel:
        """What standard scores have in common."""
        factors = self._hyperparameters.taste_factors

        def fit() -> ArrayMapping:
            grouped, standard = self._grouped_ratings(), self._standard_scores()
            found = self.time_step(
                "taste factors",
                lambda: fit_gaussian_factors(
                    grouped, standard, factors=factors, **self._run_options
                ),
            )
            return {
                "position": found.position,
                "factor": found.factor,
                "noise": found.noise,
                "level_variance": np.array([found.user_bias_variance]),
            }

        kept = self._checkpoints.load_or_compute("taste-factors", factors, fit)
        return GaussianFactorModel(
            kept["position"], kept["factor"], kept["noise"], float(kept["level_variance"][0])
        )

    def fit_affinity(self) -> csr_array:
        """The affinity for full lists; row j is the anime on the list."""
        s = self._hyperparameters
        kind = EaseRegularisation(s.affinity_ridge, s.affinity_dropout, s.affinity_popularity)
        return self._fit_affinity_weights("affinity", kind, s.affinity_neighbours)

    def fit_short_history_affinity(self) -> csr_array:
        """The affinity for short lists; row j is the anime on the list."""
        return self._fit_affinity_weights(
            "newcomer", SHORT_HISTORY, self._hyperparameters.newcomer_neighbours
        )

    def release_shared(self) -> None:
        """Drop what stages share: the next ones need something else, and the room."""
        self._shared.clear()

    def time_step(self, step: str, compute: Callable[[], T]) -> T:
        """Do a step and note how long it took."""
        start = time.perf_counter()
        result = compute()
        self.seconds[step] = time.perf_counter() - start
        return result

    def _fit_affinity_weights(
        self, name: str, regularisation: EaseRegularisation, n_neighbours: int
    ) -> csr_array:
        def fit() -> ArrayMapping:
            grams = self._gram_matrices()
            solved = self.time_step(
                name, lambda: solve_ease(grams, regularisation, n_neighbours, **self._run_options)
            )
            return _csr_arrays(solved)

        depends_on = (self._affinity_min_entries(), regularisation, n_neighbours)
        return self._csr_matrix(self._checkpoints.load_or_compute(name, depends_on, fit))

    def _gram_matrices(self) -> GramMatrices:
        """A stage as well: to add the sums up takes as long as a solution."""
        lists = self._affinity_min_entries()

        def add() -> ArrayMapping:
            return compute_gram_matrices(
                self._ratings, min_entries=lists, threads=self._threads
            ).to_arrays()

        def take() -> GramMatrices:
            kept = self._checkpoints.load_or_compute("pair-sums", lists, add)
            return GramMatrices.from_arrays(kept, len(self._ratings.anime_ids))

        return self._compute_once("pair sums", take)

    def _affinity_min_entries(self) -> int:
        return self._hyperparameters.affinity_min_entries(len(self._ratings.user_ids))

    def _grouped_ratings(self) -> GroupedRatings:
        r = self._ratings
        shape = len(r.user_ids), len(r.anime_ids)
        return self._compute_once(
            "grouping",
            lambda: group_ratings(r.user, r.item, r.rating, *shape, selected=r.rated_mask),
        )

    def _standard_scores(self) -> StandardScores:
        grouped = self._grouped_ratings()
        return self._compute_once(
            "standard scores", lambda: standardise_ratings(grouped, threads=self._threads)
        )

    def _compute_once(self, step: str, compute: Callable[[], T]) -> T:
        if step not in self._shared:
            self._shared[step] = self.time_step(step, compute)
        found: T = self._shared[step]
        return found

    def _csr_matrix(self, kept: Mapping[str, npt.NDArray[Any]]) -> csr_array:
        size = len(self._ratings.anime_ids)
        return csr_array(tuple(kept[name] for name in CSR_ARRAYS), shape=(size, size))


def _csr_arrays(matrix: csr_array) -> dict[str, npt.NDArray[Any]]:
    return {name: getattr(matrix, name) for name in CSR_ARRAYS}
