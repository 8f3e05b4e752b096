"""Gather statistics from Dask workers.

The workers hold the entries and add up; this process gets counts, finished blocks of similarities
and of the affinity's sums, and the ratings of the users drawn for the Gaussian. What the driver
solves from them is dense: two matrices over the items (see docs/dask.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import Unpack

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csr_array

from app.recommender.array_types import Float64Array
from model_build.data.dumps.prepared import PreparedDataset
from model_build.train import sufficient_statistics as statistics
from model_build.train.affinity import GramMatrices, GramMatrixBuilder, items_with_affinity
from model_build.train.bias_model import BiasModel
from model_build.train.cluster import DaskCluster, ShardingPlan, TaskFuture, plan_sharding
from model_build.train.driver import TrainingOptions, train_model
from model_build.train.gatherer import SampledScores
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.list_sample import ListSample
from model_build.train.model_arrays import TrainedModel
from model_build.train.pair_sums import (
    RowRange,
    gram_sum_block,
    pearson_sum_block,
    similarities_from_sums,
    split_row_ranges,
)
from model_build.train.score_model import (
    BIAS_EPOCHS,
    BIAS_REGULARISATION,
    MAX_SAMPLED_USERS,
    StandardScores,
    gaussian_item_count,
    sample_gaussian_users,
    standard_score_matrix,
    standard_score_values,
)
from model_build.train.similarity import SimilarityRows
from model_build.train.sufficient_statistics import ItemCounts, ItemOrdering
from model_build.util.hashing import sample_by_hash
from model_build.util.progress import ProgressCallback, no_progress
from model_build.util.threads import balanced_ranges


def train_distributed(
    cluster: DaskCluster,
    location: str,
    prepared: PreparedDataset,
    hyperparameters: Hyperparameters,
    *,
    plan: ShardingPlan | None = None,
    threads: int | None = None,
    **options: Unpack[TrainingOptions],
) -> TrainedModel:
    """Fit everything that serving needs from the partitions at ``location``.

    ``threads`` are those of this process, which solves what the workers add up.
    """
    plan = plan or plan_sharding(
        cluster.resources(), sum(part.rows for part in prepared.partitions)
    )
    on_progress = options.get("on_progress", no_progress)
    gatherer = DaskGatherer(cluster, location, prepared, plan, on_progress)
    return train_model(gatherer, hyperparameters, threads=threads, **options)


class DaskGatherer:
    """Shards of consecutive users, each in the memory of a worker."""

    def __init__(
        self,
        cluster: DaskCluster,
        location: str,
        prepared: PreparedDataset,
        plan: ShardingPlan,
        on_progress: ProgressCallback,
    ) -> None:
        self._cluster, self._plan, self._on_progress = cluster, plan, on_progress
        partitions = prepared.partitions
        rows = np.array([partition.rows for partition in partitions], np.int64)
        users = np.concatenate([[0], np.cumsum([partition.fans for partition in partitions])])
        cuts = balanced_ranges(rows, plan.n_shards)
        self._n_users = int(users[-1])
        self._first_user = [int(users[first]) for first, _ in cuts]
        self._entries = [
            cluster.submit(
                statistics.read_shard, location, tuple(partitions[first:last]), int(users[first])
            )
            for first, last in cuts
        ]

    def count_items(self) -> tuple[ItemCounts, int]:
        """Add up the counts of the shards."""
        counts = self._map_shards(statistics.count_items, self._entries)
        return self._cluster.result(self._cluster.tree_reduce(counts)), self._n_users

    def sample_lists(self) -> ListSample:
        """Draw from what each shard draws."""
        each = self._map_shards(ListSample.of_entries, self._entries)
        return ListSample.draw(list(map(self._cluster.result, each)))

    def group_ratings(self, counts: ItemCounts) -> ItemOrdering:
        """Group each shard where it lies."""
        self._ordering = counts.ordering()
        self._rating_count = counts.ratings[self._ordering.order]
        self._mean = counts.rating_total / int(counts.ratings.sum())
        ordering = self._cluster.broadcast(self._ordering)
        self._grouped = self._map_shards(
            statistics.group_ratings_by_number, self._entries, ordering
        )
        return self._ordering

    def fit_biases(self, reg_user: float, reg_item: float, epochs: int) -> BiasModel:
        """Add up the totals of the shards in each half-step."""
        item_bias, fitted = self._fit_bias_models("baselines", reg_user, reg_item, epochs)
        self._values = self._map_shards(attrgetter("residual"), fitted)
        return BiasModel.of_items(self._mean, item_bias[self._ordering.rank])

    def fit_standard_scores(self) -> StandardScores:
        """Fit as `fit_biases`; also draw the users for the Gaussian."""
        self._values = []
        reg = BIAS_REGULARISATION
        item_bias, fitted = self._fit_bias_models("standard scores", reg, reg, BIAS_EPOCHS)
        moments = self._map_shards(statistics.residual_moments, fitted)
        number, total, squares = self._cluster.result(self._cluster.tree_reduce(moments))
        std = float(np.sqrt(max(squares / number - (total / number) ** 2, 0.0))) or 1.0
        scores = self._map_shards(statistics.standardise_residuals, self._grouped, fitted, std)
        self._values = self._map_shards(standard_score_values, self._grouped, scores)
        self._sample = self._sample_scores(scores)  # now, so that workers can forget the scores
        return StandardScores.of_items(item_bias[self._ordering.rank], std)

    def similarity_rows(self, shrinkage: float, min_support: int) -> Iterator[SimilarityRows]:
        """Finish blocks on the workers, a few at a time."""

        def submit_rows(rows: RowRange) -> TaskFuture:
            each = self._map_shards(pearson_sum_block, self._grouped, self._values, rows, 1)
            sums = self._cluster.tree_reduce(each)
            return self._cluster.submit(similarities_from_sums, sums, rows, shrinkage, min_support)

        blocks = split_row_ranges(len(self._rating_count), self._plan.block_bytes)
        return self._cluster.ordered_results(partial(submit_rows, rows) for rows in blocks)

    def sample_scores(self) -> SampledScores:
        """Return what `fit_standard_scores` drew."""
        return SampledScores(self._sample, self._ordering.order[: self._sample.shape[1]])

    def release_scores(self) -> None:
        """Let the workers forget the grouped ratings."""
        del self._grouped, self._values

    def gram_matrices(self, counts: ItemCounts, min_entries: int) -> GramMatrices:
        """Add up blocks over the items with affinities."""
        known = items_with_affinity(counts.entries, min_entries)
        ordering = self._cluster.broadcast(ItemOrdering.of(counts.anime_ids, known))
        weighted = self._map_shards(statistics.weigh_numbered_entries, self._entries, ordering)
        self._entries = []
        builder = GramMatrixBuilder(known, counts.entries, known)

        def submit_rows(rows: RowRange) -> TaskFuture:
            each = self._map_shards(gram_sum_block, weighted, rows, 1)
            sums = self._cluster.tree_reduce(each)
            return self._cluster.submit(statistics.gram_sums_float32, sums)

        blocks = split_row_ranges(len(known), self._plan.block_bytes)
        found = self._cluster.ordered_results(partial(submit_rows, rows) for rows in blocks)
        for rows, sums in zip(blocks, found, strict=True):
            builder.add_block(rows.first, sums)
            self._on_progress("pair sums", rows.last, len(known))
        return builder.build()

    def _fit_bias_models(
        self, step: str, reg_user: float, reg_item: float, epochs: int
    ) -> tuple[Float64Array, list[TaskFuture]]:
        """Item biases by number, and a `BiasModel` of each shard."""
        grouped, mean = self._grouped, self._mean
        count = self._cluster.broadcast(self._rating_count)
        item_bias = None
        for epoch in range(epochs):
            each = self._map_shards(
                statistics.item_residual_totals, grouped, mean, item_bias, reg_user
            )
            total = self._cluster.tree_reduce(each)
            solved = self._cluster.submit(statistics.solve_item_biases, total, count, reg_item)
            found = self._cluster.result(solved)
            item_bias = self._cluster.broadcast(found)
            self._on_progress(step, epoch + 1, epochs)
        fitted = self._map_shards(
            statistics.bias_model_of_items, grouped, mean, item_bias, reg_user
        )
        return found, fitted

    def _sample_scores(self, scores: list[TaskFuture]) -> csr_array:
        """Draw users from all shards, and take their standard scores."""
        each = self._map_shards(sample_gaussian_users, self._grouped, self._first_user)
        drawn = np.concatenate(list(map(self._cluster.result, each)))
        users = sample_by_hash(drawn, MAX_SAMPLED_USERS)
        m = gaussian_item_count(self._rating_count)
        own = [
            part - first
            for part, first in zip(
                np.split(users, np.searchsorted(users, self._first_user[1:])),
                self._first_user,
                strict=True,
            )
        ]
        each = self._map_shards(standard_score_matrix, self._grouped, scores, m, own)
        return sp.vstack(list(map(self._cluster.result, each)), format="csr")

    def _map_shards(self, work: Callable[..., object], *arguments: object) -> list[TaskFuture]:
        """Run something on each shard; lists have an argument for each, all else is for all."""
        spread = (
            argument if isinstance(argument, list) else [argument] * len(self._first_user)
            for argument in arguments
        )
        return [self._cluster.submit(work, *own) for own in zip(*spread, strict=True)]
