"""Train a model: the one order of steps, whatever the ratings lie in.

What depends on where the ratings are is behind `StatisticsGatherer`: this process
(`model_build.train.gatherer.LocalGatherer`), sums over earlier users and the entries of new ones
(`model_build.train.saved_statistics`), or Dask workers (`model_build.train.dask_statistics`).
The results are equal to rounding.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypedDict

import numpy as np
from scipy.sparse import csr_array

from app.recommender import Model
from app.recommender.array_types import BoolArray, Int16Array, Int32Array
from app.recommender.model import item_popularity, recent_mask
from app.recommender.parameters import ServingParameters
from app.recommender.reranking.feature_names import FeatureGroup
from model_build.data.ratings import Ratings
from model_build.train.affinity import (
    SHORT_HISTORY,
    EaseRegularisation,
    EaseWeights,
    GramMatrices,
    solve_ease,
)
from model_build.train.checkpoints import CheckpointStore, StageT
from model_build.train.cold_start import FittedComponents, predict_cold_items
from model_build.train.cross_fit import add_cross_fitted_trees
from model_build.train.gatherer import LocalGatherer, StatisticsGatherer
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_facts import ItemFacts, add_story_affinity, content_feature_arrays
from model_build.train.list_sample import ListSample
from model_build.train.model_arrays import (
    ModelArrays,
    TrainedModel,
    affinity_arrays,
    item_statistics_arrays,
    knn_arrays,
    score_model_arrays,
)
from model_build.train.score_model import (
    GaussianFactorModel,
    StandardScores,
    fit_gaussian_factor_model,
)
from model_build.train.serving_parameters import default_parameters
from model_build.train.similarity import select_neighbours
from model_build.train.similarity_pairs import SimilarityPairs, collect_pairs
from model_build.train.sufficient_statistics import ItemOrdering
from model_build.util.errors import InputError
from model_build.util.progress import ProgressCallback, no_progress


class ScoreSimilarity(NamedTuple):
    """Standard scores, without users', and their similarity: row i, neighbours of item i."""

    standard_scores: StandardScores
    similarity: csr_array


class TrainingOptions(TypedDict, total=False):
    """What is passed on to `train_model`, wherever the ratings are."""

    facts: ItemFacts | None
    parameters: ServingParameters | None
    second_stage: bool
    on_progress: ProgressCallback


def train_model(
    ratings: Ratings | StatisticsGatherer,
    hyperparameters: Hyperparameters,
    *,
    facts: ItemFacts | None = None,
    parameters: ServingParameters | None = None,
    second_stage: bool = True,
    ablations: Collection[FeatureGroup] = (),
    threads: int | None = None,
    checkpoints: CheckpointStore | None = None,
    on_progress: ProgressCallback = no_progress,
) -> TrainedModel:
    """Fit everything that serving needs: item biases and similarity, score model, affinity.

    Then, on some users' lists, the second stage of ranking (`model_build.train.trees`), whose
    first stages are trained in this process.

    Parameters
    ----------
    ratings
        Those in the memory of this process, or what gathers statistics of others.
    facts
        When items are from, and which are predicted from their features as few users list them.
    parameters
        Those that the model will be served with; the second stage looks at what they make.
    ablations
        Groups of features without each of which the second stage is fitted, too
        (`TrainedModel.ablations`).
    checkpoints
        Where finished stages are kept and found, for a gatherer that was not asked for anything.
    """
    training = _Training(
        LocalGatherer(ratings, threads) if isinstance(ratings, Ratings) else ratings,
        hyperparameters,
        parameters or default_parameters(),
        threads,
        checkpoints or CheckpointStore(None),
        on_progress,
    )
    trained, lists = training.run(facts)
    if second_stage:
        if facts is not None:
            facts = replace(facts, as_of=int(trained.hyperparameters["as_of"]))

        def train_first_stage(part: Ratings) -> Model:
            """Train on some of the lists, without the second stage and all but without KNN."""
            settings = hyperparameters.model_copy(update={"precision": "exact", "neighbours": 1})
            first = train_model(part, settings, facts=facts, second_stage=False, threads=threads)
            return first.in_memory_model(parameters)

        add_cross_fitted_trees(trained, lists, train_first_stage, ablations, threads, on_progress)
    return trained


def _check_numbers(trained: TrainedModel) -> None:
    """Refuse what settings far from all sense come to."""
    values = {**trained.arrays, **trained.hyperparameters}
    lost = [
        name
        for name, value in values.items()
        if np.asarray(value).dtype.kind == "f" and not np.isfinite(value).all()
    ]
    if lost:
        raise InputError(
            f"training came to no numbers in {', '.join(lost)} with these settings; the defaults "
            "come to some."
        )


@dataclass
class _Training:
    _gatherer: StatisticsGatherer
    _hyperparameters: Hyperparameters
    _parameters: ServingParameters
    _threads: int | None
    _checkpoints: CheckpointStore
    _on_progress: ProgressCallback
    _seconds: dict[str, float] = field(default_factory=dict)

    def run(self, facts: ItemFacts | None) -> tuple[TrainedModel, ListSample]:
        """Fit the first stage; also returns the lists for the second."""
        s = self._hyperparameters
        with self._timed("reading"):
            counts, n_users = self._gatherer.count_items()
            lists = self._gatherer.sample_lists()
        if n_users < 2:
            raise InputError("all rows are of one user; a model needs at least two.")
        if not counts.ratings.any():
            raise InputError("no row has a score from 1 to 10, so there is nothing to learn.")
        self._min_entries, as_of = s.affinity_min_entries(n_users), 0
        if facts is not None:
            as_of = facts.find_as_of(counts.anime_ids, counts.entries, self._min_entries)
            counts = counts.with_items(facts.find_cold_ids(as_of))
        self._counts, self._n_items = counts, len(counts.anime_ids)
        years, n_cold = np.zeros(self._n_items, np.int16), 0
        members = np.zeros(self._n_items, np.int32)
        if facts is not None:
            years = facts.item_years(counts.anime_ids)
            members = facts.item_members(counts.anime_ids)
        described = content_feature_arrays(
            None if facts is None else facts.catalogue, counts.anime_ids
        )
        little_known = self._little_known(members, years, described)
        knn = self._fit_knn()
        standard, similarity = self._fit_score_similarity()
        gaussian = self._fit_gaussian()
        self._gatherer.release_scores()
        full = EaseRegularisation(s.affinity_ridge, s.affinity_dropout, s.affinity_popularity)
        affinity, _ = self._fit_affinity("affinity", full, s.affinity_neighbours)
        newcomer = self._fit_affinity(
            "newcomer", SHORT_HISTORY, s.newcomer_neighbours, little_known, s.newcomer_tail
        )
        fitted = FittedComponents(standard, gaussian, affinity, *newcomer)
        if facts is not None:
            with self._timed("recent anime"):
                fitted, n_cold = self._place_recent_items(facts, as_of, years, fitted)
        parts = (
            item_statistics_arrays(counts, n_users, years, as_of, members),
            knn,
            score_model_arrays(fitted.standard_scores, similarity, fitted.gaussian),
            affinity_arrays(
                affinity=fitted.affinity,
                short_history=fitted.short_history_affinity,
                little_known=fitted.little_known_affinity,
            ),
            described,
        )
        similarities = knn.arrays.get("similarity_code", knn.arrays.get("similarity_data", ()))
        trained = TrainedModel(
            {name: array for part in parts for name, array in part.arrays.items()},
            counts={
                "fans": n_users,
                "anime": len(counts.anime_ids),
                "entries": int(counts.entries.sum()),
                "ratings": int(counts.ratings.sum()),
                "similarities": len(similarities),
                "affinities": int(fitted.affinity.nnz),
                "fresh": n_cold,
            },
            hyperparameters=s.model_dump()
            | {name: number for part in parts for name, number in part.scalars.items()},
            seconds=self._seconds,
        )
        _check_numbers(trained)
        return trained, lists

    def _fit_knn(self) -> ModelArrays:
        s = self._hyperparameters
        biases = s.reg_user, s.reg_item, s.epochs
        compact, name = s.precision == "compact", "similarity"
        cuts = s.shrinkage, s.min_support, s.pair_ratings if compact else s.neighbours

        def fit() -> ModelArrays:
            _ = self._ordering
            with self._timed("baselines"):
                fitted = self._gatherer.fit_biases(*biases)
            keep = self._collect_pairs if compact else self._select_neighbours
            return knn_arrays(fitted, keep(name, *cuts))

        return self._stage(name, (biases, cuts, s.precision), fit, ModelArrays)

    def _fit_score_similarity(self) -> ScoreSimilarity:
        s = self._hyperparameters
        cuts = s.taste_shrinkage, 1, s.taste_neighbours

        def fit() -> ScoreSimilarity:
            standard = self._standard_scores
            return ScoreSimilarity(standard, self._select_neighbours("taste similarity", *cuts))

        return self._stage("taste-similarity", cuts, fit, ScoreSimilarity)

    def _fit_gaussian(self) -> GaussianFactorModel:
        factors = self._hyperparameters.taste_factors

        def fit() -> GaussianFactorModel:
            _ = self._standard_scores
            with self._timed("taste factors"):
                sampled = self._gatherer.sample_scores()
                return fit_gaussian_factor_model(
                    sampled.scores,
                    sampled.items,
                    factors=factors,
                    threads=self._threads,
                    on_progress=self._on_progress,
                )

        return self._stage("taste-factors", factors, fit, GaussianFactorModel)

    def _fit_affinity(
        self,
        name: str,
        regularisation: EaseRegularisation,
        n_neighbours: int,
        tail: BoolArray | None = None,
        n_tail: int = 0,
    ) -> EaseWeights:
        """Fit the affinity of one regularisation; row j is the item on the list."""

        def fit() -> EaseWeights:
            sums = self._gram_matrices
            with self._timed(name):
                return solve_ease(
                    sums,
                    regularisation,
                    n_neighbours,
                    tail=tail,
                    n_tail=n_tail,
                    threads=self._threads,
                    step=name,
                    on_progress=self._on_progress,
                )

        of_tail = "" if tail is None else hashlib.sha256(tail.tobytes()).hexdigest()
        depends_on = (self._min_entries, regularisation, n_neighbours, n_tail, of_tail)
        return self._stage(name, depends_on, fit, EaseWeights)

    def _little_known(
        self, members: Int32Array, years: Int16Array, described: ModelArrays
    ) -> BoolArray | None:
        """What `SortOrder.DISCOVER` may show, (n,); None where no anime's ``members`` are known."""
        most = self._parameters.discover_max_members
        if not most or not members.any():
            return None
        known = item_popularity(members, self._counts.entries, years) > most
        if "item_franchise" in described.arrays:
            franchise = described.arrays["item_franchise"]
            known |= np.isin(franchise, franchise[known & (franchise >= 0)])
        return np.asarray(~known)

    @cached_property
    def _gram_matrices(self) -> GramMatrices:
        """A stage as well: to add the sums up takes as long as a solution."""

        def add() -> GramMatrices:
            with self._timed("pair sums"):
                return self._gatherer.gram_matrices(self._counts, self._min_entries)

        return self._stage("pair-sums", self._min_entries, add, GramMatrices)

    def _place_recent_items(
        self, facts: ItemFacts, as_of: int, years: Int16Array, fitted: FittedComponents
    ) -> tuple[FittedComponents, int]:
        """Add cold items, and what recent ones get from facts and stories; also counts the cold."""
        counts, s = self._counts, self._hyperparameters
        ids = facts.find_cold_ids(as_of)
        is_cold = (counts.entries < self._min_entries) & np.isin(counts.anime_ids, ids)
        cold = np.flatnonzero(is_cold)
        is_recent = recent_mask(years, as_of)
        facts_weight = np.where(is_recent, s.recent_facts_weight, 0.0)
        facts_weight *= s.recent_facts_shrinkage / (s.recent_facts_shrinkage + counts.entries)
        facts_weight[counts.entries < self._min_entries] = 0.0
        facts_weight[is_cold] = s.fresh_weight
        fitted = predict_cold_items(
            facts.item_features(counts.anime_ids),
            cold,
            fitted,
            rating_count=counts.ratings,
            entry_count=counts.entries,
            facts_weight=facts_weight,
            input_weight=s.facts_input_weight * facts_weight,
            min_entries=self._min_entries,
            n_neighbours=s.fresh_neighbours,
            n_input_neighbours=s.facts_input_neighbours,
        )
        recipients = is_cold | is_recent
        pairs = facts.story_pairs(counts.anime_ids)
        full, short = (
            add_story_affinity(matrix, pairs, recipients, s.story_weight)
            for matrix in (fitted.affinity, fitted.short_history_affinity)
        )
        return replace(fitted, affinity=full, short_history_affinity=short), len(cold)

    @cached_property
    def _ordering(self) -> ItemOrdering:
        """The numbering of the items; not computed if all stages that need it are found."""
        with self._timed("grouping"):
            return self._gatherer.group_ratings(self._counts)

    @cached_property
    def _standard_scores(self) -> StandardScores:
        """Shared by the two stages of the score model."""
        _ = self._ordering
        with self._timed("standard scores"):
            return self._gatherer.fit_standard_scores()

    def _select_neighbours(
        self, step: str, shrinkage: float, min_support: int, n_neighbours: int
    ) -> csr_array:
        ordering = self._ordering
        with self._timed(step):
            return select_neighbours(
                self._gatherer.similarity_rows(shrinkage, min_support),
                ordering.order,
                ordering.rank,
                self._counts.ratings[ordering.order],
                n_neighbours,
                threads=self._threads,
                step=step,
                on_progress=self._on_progress,
            )

    def _collect_pairs(
        self, step: str, shrinkage: float, min_support: int, pair_ratings: int
    ) -> SimilarityPairs:
        ordering = self._ordering
        with self._timed(step):
            return collect_pairs(
                self._gatherer.similarity_rows(shrinkage, min_support),
                ordering.order,
                self._counts.ratings[ordering.order],
                pair_ratings,
                step=step,
                on_progress=self._on_progress,
            )

    def _stage(
        self, name: str, settings: object, compute: Callable[[], StageT], kind: type[StageT]
    ) -> StageT:
        """Return a stage, which depends on the ratings, the items and ``settings``."""
        items = hashlib.sha256(self._counts.anime_ids.tobytes()).hexdigest()
        return self._checkpoints.load_or_compute(name, (items, settings), compute, kind)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[step] = time.perf_counter() - start
