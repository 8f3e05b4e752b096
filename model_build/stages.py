"""The stages of a training: each makes what no other does, and can be kept and taken up again.

A stage is kept as plain arrays with the settings that it depends on (`model_build.checkpoints`).
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

from model_build.affinity import NEWCOMERS, Grams, Regularisation, add_grams, solve
from model_build.baselines import fit_baselines
from model_build.checkpoints import Arrays, Checkpoints
from model_build.grouping import GroupedRatings, group_ratings
from model_build.hyperparameters import Hyperparameters
from model_build.parts import Part, knn_part
from model_build.ratings import Ratings
from model_build.similarity import pearson_baseline
from model_build.taste import (
    Gaussian,
    Standardised,
    fit_gaussian,
    standard_similarity,
    standardise,
)

T = TypeVar("T")
MATRIX = ("data", "indices", "indptr")


class Stages:
    """The stages of one training; ``seconds`` is how long each step took that was done."""

    def __init__(
        self,
        ratings: Ratings,
        settings: Hyperparameters,
        checkpoints: Checkpoints,
        *,
        threads: int | None = None,
        progress: bool = False,
    ) -> None:
        self._ratings, self._settings, self._checkpoints = ratings, settings, checkpoints
        self._threads = threads
        self._running: dict[str, Any] = {"threads": threads, "progress": progress}
        self._made: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}

    def knn(self) -> Part:
        """KNN with baseline."""
        s = self._settings
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

        def fit() -> Part:
            grouped = self._grouped()
            baselines = self.timed(
                "baselines", lambda: fit_baselines(grouped, **biases, threads=self._threads)
            )
            similarity = self.timed(
                "similarity",
                lambda: pearson_baseline(grouped, baselines.residual, **cuts, **self._running),
            )
            return knn_part(baselines, similarity, s.precision)

        depends_on = (biases, cuts, s.precision)
        kept = self._checkpoints.stage("similarity", depends_on, lambda: fit().flat())
        return Part.of(kept)

    def taste_similarity(self) -> tuple[Standardised, csr_array]:
        """What is known of the anime by standard scores, without the fans; and how alike they are.

        Row i of the matrix holds the neighbours of anime i.
        """
        s = self._settings

        def fit() -> Arrays:
            grouped, standard = self._grouped(), self._standard()
            similarity = self.timed(
                "taste similarity",
                lambda: standard_similarity(
                    grouped,
                    standard,
                    neighbours=s.taste_neighbours,
                    shrinkage=s.taste_shrinkage,
                    **self._running,
                ),
            )
            spread = np.array([standard.mean_spread])
            return {"item_bias": standard.item_bias, "spread": spread, **_arrays(similarity)}

        depends_on = (s.taste_neighbours, s.taste_shrinkage)
        kept = self._checkpoints.stage("taste-similarity", depends_on, fit)
        of_fans = np.zeros(0)
        standard = Standardised(
            kept["item_bias"], of_fans, of_fans, of_fans, float(kept["spread"][0])
        )
        return standard, self._matrix(kept)

    def gaussian(self) -> Gaussian:
        """What standard scores have in common."""
        factors = self._settings.taste_factors

        def fit() -> Arrays:
            grouped, standard = self._grouped(), self._standard()
            found = self.timed(
                "taste factors",
                lambda: fit_gaussian(grouped, standard, factors=factors, **self._running),
            )
            return {
                "position": found.position,
                "factor": found.factor,
                "noise": found.noise,
                "level_variance": np.array([found.level_variance]),
            }

        kept = self._checkpoints.stage("taste-factors", factors, fit)
        return Gaussian(
            kept["position"], kept["factor"], kept["noise"], float(kept["level_variance"][0])
        )

    def affinity(self) -> csr_array:
        """The affinity for full lists; row j is the anime on the list."""
        s = self._settings
        kind = Regularisation(s.affinity_ridge, s.affinity_dropout, s.affinity_popularity)
        return self._weights("affinity", kind, s.affinity_neighbours)

    def newcomer(self) -> csr_array:
        """The affinity for short lists; row j is the anime on the list."""
        return self._weights("newcomer", NEWCOMERS, self._settings.newcomer_neighbours)

    def forget(self) -> None:
        """Drop what stages share: the next ones need something else, and the room."""
        self._made.clear()

    def timed(self, step: str, work: Callable[[], T]) -> T:
        """Do a step and note how long it took."""
        start = time.perf_counter()
        result = work()
        self.seconds[step] = time.perf_counter() - start
        return result

    def _weights(self, name: str, kind: Regularisation, keep: int) -> csr_array:
        def fit() -> Arrays:
            grams = self._grams()
            solved = self.timed(name, lambda: solve(grams, kind, keep, **self._running))
            return _arrays(solved)

        depends_on = (self._lists_needed(), kind, keep)
        return self._matrix(self._checkpoints.stage(name, depends_on, fit))

    def _grams(self) -> Grams:
        """A stage as well: to add the sums up takes as long as a solution."""
        lists = self._lists_needed()

        def add() -> Arrays:
            return add_grams(self._ratings, min_entries=lists, threads=self._threads).arrays()

        def take() -> Grams:
            kept = self._checkpoints.stage("pair-sums", lists, add)
            return Grams.of(kept, len(self._ratings.anime_ids))

        return self._once("pair sums", take)

    def _lists_needed(self) -> int:
        return self._settings.lists_needed(len(self._ratings.user_ids))

    def _grouped(self) -> GroupedRatings:
        r = self._ratings
        shape = len(r.user_ids), len(r.anime_ids)
        return self._once(
            "grouping", lambda: group_ratings(r.user, r.item, r.rating, *shape, chosen=r.scored)
        )

    def _standard(self) -> Standardised:
        grouped = self._grouped()
        return self._once("standard scores", lambda: standardise(grouped, threads=self._threads))

    def _once(self, step: str, work: Callable[[], T]) -> T:
        if step not in self._made:
            self._made[step] = self.timed(step, work)
        found: T = self._made[step]
        return found

    def _matrix(self, kept: Mapping[str, npt.NDArray[Any]]) -> csr_array:
        size = len(self._ratings.anime_ids)
        return csr_array(tuple(kept[name] for name in MATRIX), shape=(size, size))


def _arrays(matrix: csr_array) -> dict[str, npt.NDArray[Any]]:
    return {name: getattr(matrix, name) for name in MATRIX}
