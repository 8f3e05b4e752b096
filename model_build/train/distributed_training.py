"""Train on a cluster: the steps of `model_build.train.training` on shards, with the same result.

The workers hold the entries, and add up; this process gets counts, finished blocks of similarities
and of the affinity's sums, and the lists drawn for the Gaussian. What it solves by itself is dense:
two matrices over the anime (see docs/dask.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csr_array

from app.recommender.array_types import Float64Array
from model_build.data.dumps.prepared import PreparedDataset
from model_build.data.grouping import argsort_descending
from model_build.train import sufficient_statistics as shard
from model_build.train.affinity import SHORT_HISTORY, EaseRegularisation, GramMatrices, solve_ease
from model_build.train.bias_model import BiasModel
from model_build.train.cluster import (
    DaskCluster,
    ProgressCallback,
    ShardingPlan,
    TaskFuture,
    no_progress,
    plan_sharding,
)
from model_build.train.cold_start import ColdStartCatalogue, FittedComponents
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_statistics import make_item_ordering
from model_build.train.linear_algebra import copy_lower_to_upper
from model_build.train.model_arrays import ModelArrays, knn_arrays
from model_build.train.pair_sums import (
    add_similarity_rows,
    finish_similarity_rows,
    split_row_ranges,
)
from model_build.train.sampling import sample_by_hash
from model_build.train.score_model import (
    BIAS_EPOCHS,
    BIAS_REGULARISATION,
    MAX_SAMPLED_USERS,
    GaussianFactorModel,
    StandardScores,
    fit_gaussian_em,
    gaussian_item_count,
)
from model_build.train.sufficient_statistics import ItemCounts
from model_build.train.topk_neighbours import TopKNeighbours
from model_build.train.training import TrainedModel, assemble_model
from model_build.util.errors import InputError
from model_build.util.threads import available_cpus, balanced_ranges


def train_distributed(
    cluster: DaskCluster,
    location: str,
    prepared: PreparedDataset,
    hyperparameters: Hyperparameters,
    *,
    cold_start: ColdStartCatalogue | None = None,
    plan: ShardingPlan | None = None,
    on_progress: ProgressCallback = no_progress,
) -> TrainedModel:
    """Fit everything that serving needs from the partitions at ``place``.

    Raises:
        InputError: a partition is missing or changed, or there is nothing to learn from.
    """
    rows = np.array([partition.rows for partition in prepared.partitions], np.int64)
    plan = plan or plan_sharding(cluster.resources(), int(rows.sum()))
    return _DistributedTrainer(
        cluster, location, prepared, hyperparameters, plan, on_progress
    ).train(cold_start)


class _DistributedTrainer:
    def __init__(
        self,
        cluster: DaskCluster,
        location: str,
        prepared: PreparedDataset,
        hyperparameters: Hyperparameters,
        plan: ShardingPlan,
        on_progress: ProgressCallback,
    ) -> None:
        self._cluster, self._hyperparameters, self._plan, self._on_progress = (
            cluster,
            hyperparameters,
            plan,
            on_progress,
        )
        self._seconds: dict[str, float] = {}
        partitions = prepared.partitions
        rows = np.array([partition.rows for partition in partitions], np.int64)
        fans = np.concatenate([[0], np.cumsum([partition.fans for partition in partitions])])
        self._n_users = int(fans[-1])
        cuts = balanced_ranges(rows, plan.n_shards)
        self._first_user = [int(fans[first]) for first, _ in cuts]
        self._entries = [
            cluster.submit(
                shard.read_shard, location, tuple(partitions[first:last]), int(fans[first])
            )
            for first, last in cuts
        ]

    def train(self, cold_start: ColdStartCatalogue | None) -> TrainedModel:
        with self._time_step("reading"):
            counts = self._count_items()
        if cold_start is not None:
            counts = cold_start.add_to_counts(counts)
        self._ordering = make_item_ordering(counts.anime_id, argsort_descending(counts.ratings))
        self._rating_count = counts.ratings[self._ordering.order]
        knn, taste, standard, gaussian = self._fit_score_components(counts)
        with self._time_step("affinity"):
            weights = self._fit_affinity(counts)
        facts = ModelArrays(
            {
                "anime_id": counts.anime_id,
                "rating_count": counts.ratings.astype(np.int32),
                "entry_count": counts.entries.astype(np.int32),
                "item_relevance": counts.appeal / self._n_users,
            },
            {},
        )
        needed = self._hyperparameters.affinity_min_entries(self._n_users)
        return assemble_model(
            facts,
            knn,
            taste,
            FittedComponents(standard, gaussian, *weights),
            self._hyperparameters,
            self._n_users,
            item_features=None if cold_start is None else cold_start.item_features(counts.anime_id),
            cold_items=None
            if cold_start is None
            else cold_start.cold_positions(counts.anime_id, counts.entries, needed),
            seconds=self._seconds,
        )

    def _count_items(self) -> ItemCounts:
        each = self._map_shards(shard.count_shard_items, self._entries)
        counts: ItemCounts = self._cluster.tree_reduce(each, shard.merge_item_counts).result()
        if self._n_users < 2:
            raise InputError("all rows are of one user; a model needs at least two.")
        if not counts.ratings.any():
            raise InputError("no row has a score from 1 to 10, so there is nothing to learn.")
        return counts

    def _fit_score_components(
        self, counts: ItemCounts
    ) -> tuple[ModelArrays, csr_array, StandardScores, GaussianFactorModel]:
        """What is learned from scores: KNN, and what sharpens it."""
        settings = self._hyperparameters
        numbering = self._cluster.broadcast(self._ordering)
        grouped = self._map_shards(shard.group_shard_ratings, self._entries, numbering)
        mean = counts.rating_total / int(counts.ratings.sum())
        with self._time_step("baselines"):
            item_bias, fitted = self._fit_bias_models(
                "baselines", grouped, mean, settings.reg_user, settings.reg_item, settings.epochs
            )
        values = self._map_shards(shard.bias_residuals, fitted)
        del fitted
        with self._time_step("similarity"):
            similarity = self._fit_similarity(
                "similarity",
                grouped,
                values,
                settings.shrinkage,
                settings.min_support,
                settings.neighbours,
            )
        none, rank = np.zeros(0), self._ordering.rank
        knn = knn_arrays(
            BiasModel(mean, none, item_bias[rank], none), similarity, settings.precision
        )
        del similarity, values
        with self._time_step("standard scores"):
            item_bias, fitted = self._fit_bias_models(
                "standard scores",
                grouped,
                mean,
                BIAS_REGULARISATION,
                BIAS_REGULARISATION,
                BIAS_EPOCHS,
            )
            each = self._map_shards(shard.residual_moments, fitted)
            number, total, squares = self._cluster.tree_reduce(each).result()
            spread = float(np.sqrt(max(squares / number - (total / number) ** 2, 0.0))) or 1.0
            scores = self._map_shards(shard.shard_standard_scores, grouped, fitted, spread)
            del fitted
            values = self._map_shards(shard.standard_score_values, grouped, scores)
            fans = self._sampled_score_matrix(grouped, scores)
            del scores
        with self._time_step("taste similarity"):
            similarity = self._fit_similarity(
                "taste similarity",
                grouped,
                values,
                settings.taste_shrinkage,
                1,
                settings.taste_neighbours,
            )
        with self._time_step("taste factors"):
            gaussian = self._fit_gaussian(fans)
        standard = StandardScores(item_bias[rank], none, none, none, spread)
        return knn, similarity, standard, gaussian

    def _fit_bias_models(
        self,
        step: str,
        grouped: list[TaskFuture],
        mean: float,
        reg_user: float,
        reg_item: float,
        epochs: int,
    ) -> tuple[Float64Array, list[TaskFuture]]:
        """Item biases by number, and `Baselines` of each shard."""
        count = self._cluster.broadcast(self._rating_count)
        item_bias = None
        for epoch in range(epochs):
            each = self._map_shards(shard.item_residual_totals, grouped, mean, item_bias, reg_user)
            total = self._cluster.tree_reduce(each)
            found = self._cluster.submit(shard.solve_item_biases, total, count, reg_item).result()
            item_bias = self._cluster.broadcast(found)
            self._on_progress(step, epoch + 1, epochs)
        return found, self._map_shards(shard.shard_bias_model, grouped, mean, item_bias, reg_user)

    def _fit_similarity(
        self,
        step: str,
        grouped: list[TaskFuture],
        values: list[TaskFuture],
        shrinkage: float,
        min_support: int,
        n_neighbours: int,
    ) -> csr_array:
        n_items, threads = len(self._rating_count), available_cpus()
        nearest = TopKNeighbours(n_items, n_neighbours)
        blocks = split_row_ranges(n_items, self._plan.block_bytes)

        def submit_rows(rows: object) -> TaskFuture:
            sums = self._cluster.tree_reduce(
                self._map_shards(shard.shard_pearson_sums, grouped, values, rows)
            )
            return self._cluster.submit(finish_similarity_rows, sums, rows, shrinkage, min_support)

        with ThreadPoolExecutor(threads) as pool:
            for similar in self._cluster.ordered_results(
                partial(submit_rows, rows) for rows in blocks
            ):
                add_similarity_rows(nearest, similar, pool, threads)
                self._on_progress(step, similar.rows.last, n_items)
        return nearest.to_csr(self._ordering.order, self._ordering.rank)

    def _sampled_score_matrix(
        self, grouped: list[TaskFuture], scores: list[TaskFuture]
    ) -> csr_array:
        """The entries of the fans drawn for the Gaussian."""
        each = self._map_shards(shard.sample_shard_users, grouped, self._first_user)
        numbers = np.concatenate([future.result() for future in each])
        fans = sample_by_hash(numbers, MAX_SAMPLED_USERS)
        m = gaussian_item_count(self._rating_count)
        own = np.split(fans, np.searchsorted(fans, self._first_user[1:]))
        each = self._map_shards(shard.shard_score_matrix, grouped, scores, m, own, self._first_user)
        return sp.vstack([future.result() for future in each], format="csr")

    def _fit_gaussian(self, user_scores: csr_array) -> GaussianFactorModel:
        anime = self._ordering.order[: user_scores.shape[1]]
        return fit_gaussian_em(user_scores, anime, factors=self._hyperparameters.taste_factors)

    def _fit_affinity(self, counts: ItemCounts) -> tuple[csr_array, csr_array]:
        s = self._hyperparameters
        kind = EaseRegularisation(s.affinity_ridge, s.affinity_dropout, s.affinity_popularity)
        grams = self._gram_matrices(counts)
        return solve_ease(grams, kind, s.affinity_neighbours), solve_ease(
            grams, SHORT_HISTORY, s.newcomer_neighbours
        )

    def _gram_matrices(self, counts: ItemCounts) -> GramMatrices:
        fewest = self._hyperparameters.affinity_min_entries(self._n_users)
        known = argsort_descending(counts.entries)[: int((counts.entries >= fewest).sum())]
        if len(known) < 2:  # nothing to relate to
            known = known[:0]
        m = len(known)
        numbering = self._cluster.broadcast(make_item_ordering(counts.anime_id, known))
        interests = self._map_shards(shard.group_weighted_entries, self._entries, numbering)
        self._entries = []
        gram, cross = np.zeros((m, m), np.float32), np.zeros((m, m), np.float32)

        def submit_rows(rows: object) -> TaskFuture:
            each = self._map_shards(shard.shard_gram_sums, interests, rows)
            return self._cluster.submit(shard.gram_sums_float32, self._cluster.tree_reduce(each))

        blocks = split_row_ranges(m, self._plan.block_bytes)
        found = self._cluster.ordered_results(partial(submit_rows, rows) for rows in blocks)
        for rows, sums in zip(blocks, found, strict=True):
            own = slice(rows.first, rows.last)
            gram[own, : rows.last] = sums[:, :, 0]
            cross[own, : rows.last] = sums[:, :, 1]
            # Within the block both triangles are there, each half of them zero.
            cross[: rows.first, own] = sums[:, : rows.first, 2].T
            cross[own, own] += np.tril(sums[:, rows.first :, 2], -1).T
            self._on_progress("affinity", rows.last, m)
        squares = gram.diagonal().copy()
        copy_lower_to_upper(gram)
        return GramMatrices(
            known, counts.entries[known], len(counts.anime_id), gram, squares, cross
        )

    def _map_shards(self, work: Callable[..., object], *arguments: object) -> list[TaskFuture]:
        """Run something on each shard; lists have an argument for each, all else is for all."""
        spread = (
            argument if isinstance(argument, list) else [argument] * len(self._first_user)
            for argument in arguments
        )
        return [self._cluster.submit(work, *own) for own in zip(*spread, strict=True)]

    @contextmanager
    def _time_step(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[step] = time.perf_counter() - start
