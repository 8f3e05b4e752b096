"""Models fitted for one part only, measured on fans that are not in their training ratings.

What two trials have in common is fitted once: grouped ratings, baselines while their settings stay,
Gram matrices, everything of the parts that are not searched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from app.recommender import Model, Order
from model_build.affinity import NEWCOMERS, Grams, Regularisation, add_grams, solve
from model_build.baselines import fit_baselines
from model_build.errors import InputError
from model_build.evaluation import Fan, evaluate, fans_of, rank_with
from model_build.grouping import GroupedRatings, group_ratings
from model_build.parts import (
    Part,
    affinity_part,
    facts_part,
    knn_part,
    model_in_memory,
    no_affinity,
    no_knn,
    no_taste,
    taste_part,
)
from model_build.ratings import Ratings, indexed
from model_build.similarity import pearson_baseline
from model_build.splitting import split_fans
from model_build.taste import fit_gaussian, standard_similarity, standardise
from model_build.training import Hyperparameters, fingerprint

T = TypeVar("T")
FIRST_LOOK = 5
"""One fan in so many is measured before the others, to give up early on bad settings."""
LEAST_FANS = 20
"""Fewer fans say nothing; then there is no first look."""


class Bench:
    """Ratings without the held fans, and these fans.

    ``affinity_anime`` limits the affinity to the anime on most lists, whose solution takes the cube
    of their number. ``franchise`` maps anime ids to franchises, for the measures of new ones.

    Raises:
        InputError: there are not as many fans with scores enough.
    """

    def __init__(
        self,
        ratings: Ratings,
        *,
        fans: int,
        seed: int,
        affinity_anime: int | None = None,
        franchise: dict[int, int] | None = None,
        threads: int | None = None,
    ) -> None:
        split = split_fans(ratings, fans, seed)
        self.training = indexed(split["ratings"])
        self.fans = fans_of(indexed(split["lists"]), indexed(split["holdout"]))
        self.fingerprint = fingerprint(ratings)
        groups = franchise or {}
        self._franchise = np.array(
            [groups.get(anime, -1) for anime in self.training.anime_ids.tolist()], np.int64
        )
        self._affinity_anime = affinity_anime
        self._threads = threads
        self._kept: dict[str, tuple[object, Any]] = {}

    @property
    def first_fans(self) -> list[Fan]:
        """A few of the fans, none if they would be too few."""
        few = self.fans[::FIRST_LOOK]
        return few if len(few) >= LEAST_FANS else []

    def refuse_unmeasured(self, objective: str) -> None:
        """Raise InputError unless `evaluate` tells a number of that name, looking at one fan."""
        found = self.measure(self.model("", Hyperparameters()), Order.MATCH, self.fans[:1])
        if not isinstance(found.get(objective), int | float):
            raise InputError(f"--objective {objective}: evaluate does not measure it.")

    def measure(self, model: Model, order: Order, fans: list[Fan]) -> dict[str, Any]:
        """All that `evaluate` measures."""
        return dict(evaluate(model, self._franchise, fans, ranker=rank_with(model, order)))

    def model(self, part: str, settings: Hyperparameters) -> Model:
        """A model in which one part is as the settings say.

        For ``taste`` the affinity is there as well, which the predicted score is made of, too.
        """
        n_items = len(self.training.anime_ids)
        knn, taste, affinity = (
            no_knn(n_items, self._mean),
            no_taste(n_items),
            no_affinity(n_items),
        )
        if part == "knn":
            knn = self._knn(settings)
        if part == "taste":
            taste = self._taste(settings)
        if part in ("taste", "affinity"):
            affinity = self._affinity(settings)
        facts = self._once("facts", (), lambda: facts_part(self.training))
        counts = {
            "fans": len(self.training.user_ids),
            "anime": n_items,
            "entries": len(self.training),
            "ratings": int(self.training.scored.sum()),
        }
        return model_in_memory((facts, knn, taste, affinity), counts, asdict(settings))

    @property
    def _mean(self) -> float:
        return float(self._grouped.user_rating.mean())

    @property
    def _grouped(self) -> GroupedRatings:
        def group() -> GroupedRatings:
            r, scored = self.training, self.training.scored
            return group_ratings(
                r.user, r.item, r.rating, len(r.user_ids), len(r.anime_ids), chosen=scored
            )

        return self._once("grouped", (), group)

    def _knn(self, settings: Hyperparameters) -> Part:
        grouped = self._grouped
        regularised = (settings.reg_user, settings.reg_item, settings.epochs)
        baselines = self._once(
            "baselines",
            regularised,
            lambda: fit_baselines(
                grouped,
                reg_user=settings.reg_user,
                reg_item=settings.reg_item,
                epochs=settings.epochs,
            ),
        )

        def fit() -> Part:
            similarity = pearson_baseline(
                grouped,
                baselines.residual,
                shrinkage=settings.shrinkage,
                min_support=settings.min_support,
                neighbours=settings.neighbours,
                threads=self._threads,
            )
            return knn_part(baselines, similarity, settings.precision)

        similar = (settings.shrinkage, settings.min_support, settings.neighbours)
        return self._once("similarity", (*regularised, *similar, settings.precision), fit)

    def _taste(self, settings: Hyperparameters) -> Part:
        grouped = self._grouped
        standard = self._once("standard", (), lambda: standardise(grouped))
        gaussian = self._once(
            "gaussian",
            settings.taste_factors,
            lambda: fit_gaussian(
                grouped, standard, factors=settings.taste_factors, threads=self._threads
            ),
        )
        similarity = standard_similarity(
            grouped,
            standard,
            neighbours=settings.taste_neighbours,
            shrinkage=settings.taste_shrinkage,
            threads=self._threads,
        )
        return taste_part(standard, similarity, gaussian)

    def _affinity(self, settings: Hyperparameters) -> Part:
        kind = Regularisation(
            settings.affinity_ridge, settings.affinity_dropout, settings.affinity_popularity
        )
        grams = self._once("grams", (), self._grams)
        newcomer = self._once(
            "newcomer",
            settings.newcomer_neighbours,
            lambda: solve(grams, NEWCOMERS, settings.newcomer_neighbours),
        )
        keep = settings.affinity_neighbours
        return self._once(
            "affinity",
            (kind, keep, settings.newcomer_neighbours),
            lambda: affinity_part(solve(grams, kind, keep), newcomer),
        )

    def _grams(self) -> Grams:
        return add_grams(self.training, most_anime=self._affinity_anime, threads=self._threads)

    def _once(self, step: str, key: object, work: Callable[[], T]) -> T:
        """What ``work`` makes, kept until the step is asked for with another key."""
        if step not in self._kept or self._kept[step][0] != key:
            self._kept.pop(step, None)  # its memory is wanted for the next
            self._kept[step] = (key, work())
        found: T = self._kept[step][1]
        return found


def franchise_ids(anime_id: list[int], franchise: list[int | None]) -> dict[int, int]:
    """The mapping that `Bench` takes, from two columns of a catalogue."""
    return {
        anime: group
        for anime, group in zip(anime_id, franchise, strict=True)
        if group is not None and group >= 0
    }
