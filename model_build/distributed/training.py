"""Train on a cluster: the steps of `model_build.training` on shards, with the same result.

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
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse import csr_array

from model_build.affinity import NEWCOMERS, Grams, Regularisation, solve
from model_build.baselines import Baselines
from model_build.distributed.cluster import Cluster, Later
from model_build.distributed.plan import Plan, Told, plan_for, silent
from model_build.dumps.prepared import Prepared
from model_build.errors import InputError
from model_build.fresh import Fitted
from model_build.grouping import falling
from model_build.linear_algebra import mirror_up
from model_build.neighbours import Neighbours
from model_build.parallel import available_threads, even_ranges
from model_build.parts import Part, knn_part
from model_build.sums import shard
from model_build.sums.anime import numbered
from model_build.sums.fresh import NewAnime
from model_build.sums.pair_sums import offer, rows_within, similarities
from model_build.sums.sampling import first_shuffled
from model_build.sums.shard import Counts
from model_build.taste import (
    EPOCHS,
    MOST_FANS,
    REG,
    Gaussian,
    Standardised,
    gaussian_of,
    size_of_gaussian,
)
from model_build.training import Hyperparameters, Trained, assemble


def train_on(
    cluster: Cluster,
    place: str,
    prepared: Prepared,
    settings: Hyperparameters,
    *,
    new: NewAnime | None = None,
    plan: Plan | None = None,
    told: Told = silent,
) -> Trained:
    """Fit everything that serving needs from the partitions at ``place``.

    Raises:
        InputError: a partition is missing or changed, or there is nothing to learn from.
    """
    rows = np.array([partition.rows for partition in prepared.partitions], np.int64)
    plan = plan or plan_for(cluster.room(), int(rows.sum()))
    return _Training(cluster, place, prepared, settings, plan, told).run(new)


class _Training:
    def __init__(
        self,
        cluster: Cluster,
        place: str,
        prepared: Prepared,
        settings: Hyperparameters,
        plan: Plan,
        told: Told,
    ) -> None:
        self._cluster, self._settings, self._plan, self._told = cluster, settings, plan, told
        self._seconds: dict[str, float] = {}
        partitions = prepared.partitions
        rows = np.array([partition.rows for partition in partitions], np.int64)
        fans = np.concatenate([[0], np.cumsum([partition.fans for partition in partitions])])
        self._n_fans = int(fans[-1])
        cuts = even_ranges(rows, plan.shards)
        self._first_fan = [int(fans[first]) for first, _ in cuts]
        self._entries = [
            cluster.submit(shard.read, place, tuple(partitions[first:last]), int(fans[first]))
            for first, last in cuts
        ]

    def run(self, new: NewAnime | None) -> Trained:
        with self._timed("reading"):
            counts = self._counts()
        if new is not None:
            counts = new.join(counts)
        self._numbering = numbered(counts.anime_id, falling(counts.ratings))
        self._count = counts.ratings[self._numbering.order]
        knn, taste, standard, gaussian = self._scores(counts)
        with self._timed("affinity"):
            weights = self._affinity(counts)
        facts = Part(
            {
                "anime_id": counts.anime_id,
                "rating_count": counts.ratings.astype(np.int32),
                "entry_count": counts.entries.astype(np.int32),
                "appeal": counts.appeal / self._n_fans,
            },
            {},
        )
        needed = self._settings.lists_needed(self._n_fans)
        return assemble(
            facts,
            knn,
            taste,
            Fitted(standard, gaussian, *weights),
            self._settings,
            self._n_fans,
            facts=None if new is None else new.facts(counts.anime_id),
            fresh=None if new is None else new.fresh(counts.anime_id, counts.entries, needed),
            seconds=self._seconds,
        )

    def _counts(self) -> Counts:
        each = self._of_shards(shard.count, self._entries)
        counts: Counts = self._cluster.total(each, shard.add_counts).result()
        if self._n_fans < 2:
            raise InputError("all rows are of one user; a model needs at least two.")
        if not counts.ratings.any():
            raise InputError("no row has a score from 1 to 10, so there is nothing to learn.")
        return counts

    def _scores(self, counts: Counts) -> tuple[Part, csr_array, Standardised, Gaussian]:
        """What is learned from scores: KNN, and what sharpens it."""
        settings = self._settings
        numbering = self._cluster.constant(self._numbering)
        grouped = self._of_shards(shard.group_scored, self._entries, numbering)
        mean = counts.score_total / int(counts.ratings.sum())
        with self._timed("baselines"):
            item_bias, fitted = self._baselines(
                "baselines", grouped, mean, settings.reg_user, settings.reg_item, settings.epochs
            )
        values = self._of_shards(shard.residual_values, fitted)
        del fitted
        with self._timed("similarity"):
            similarity = self._similarity(
                "similarity",
                grouped,
                values,
                settings.shrinkage,
                settings.min_support,
                settings.neighbours,
            )
        none, rank = np.zeros(0), self._numbering.rank
        knn = knn_part(Baselines(mean, none, item_bias[rank], none), similarity, settings.precision)
        del similarity, values
        with self._timed("standard scores"):
            item_bias, fitted = self._baselines("standard scores", grouped, mean, REG, REG, EPOCHS)
            each = self._of_shards(shard.moments, fitted)
            number, total, squares = self._cluster.total(each).result()
            spread = float(np.sqrt(max(squares / number - (total / number) ** 2, 0.0))) or 1.0
            scores = self._of_shards(shard.standard_scores, grouped, fitted, spread)
            del fitted
            values = self._of_shards(shard.standard_values, grouped, scores)
            fans = self._drawn(grouped, scores)
            del scores
        with self._timed("taste similarity"):
            similarity = self._similarity(
                "taste similarity",
                grouped,
                values,
                settings.taste_shrinkage,
                1,
                settings.taste_neighbours,
            )
        with self._timed("taste factors"):
            gaussian = self._gaussian(fans)
        standard = Standardised(item_bias[rank], none, none, none, spread)
        return knn, similarity, standard, gaussian

    def _baselines(
        self,
        step: str,
        grouped: list[Later],
        mean: float,
        reg_user: float,
        reg_item: float,
        epochs: int,
    ) -> tuple[npt.NDArray[np.float64], list[Later]]:
        """Item biases by number, and `Baselines` of each shard."""
        count = self._cluster.constant(self._count)
        item_bias = None
        for epoch in range(epochs):
            each = self._of_shards(shard.item_totals, grouped, mean, item_bias, reg_user)
            total = self._cluster.total(each)
            found = self._cluster.submit(shard.item_biases, total, count, reg_item).result()
            item_bias = self._cluster.constant(found)
            self._told(step, epoch + 1, epochs)
        return found, self._of_shards(shard.baselines, grouped, mean, item_bias, reg_user)

    def _similarity(
        self,
        step: str,
        grouped: list[Later],
        values: list[Later],
        shrinkage: float,
        min_support: int,
        most: int,
    ) -> csr_array:
        n_items, threads = len(self._count), available_threads()
        nearest = Neighbours(n_items, most)
        blocks = rows_within(n_items, self._plan.block_bytes)

        def of(rows: object) -> Later:
            sums = self._cluster.total(self._of_shards(shard.pearson_sums, grouped, values, rows))
            return self._cluster.submit(similarities, sums, rows, shrinkage, min_support)

        with ThreadPoolExecutor(threads) as pool:
            for similar in self._cluster.in_order(partial(of, rows) for rows in blocks):
                offer(nearest, similar, pool, threads)
                self._told(step, similar.rows.last, n_items)
        return nearest.matrix(self._numbering.order, self._numbering.rank)

    def _drawn(self, grouped: list[Later], scores: list[Later]) -> csr_array:
        """The entries of the fans drawn for the Gaussian."""
        each = self._of_shards(shard.draw, grouped, self._first_fan)
        numbers = np.concatenate([future.result() for future in each])
        fans = first_shuffled(numbers, MOST_FANS)
        m = size_of_gaussian(self._count)
        own = np.split(fans, np.searchsorted(fans, self._first_fan[1:]))
        each = self._of_shards(shard.sample, grouped, scores, m, own, self._first_fan)
        return sp.vstack([future.result() for future in each], format="csr")

    def _gaussian(self, fans: csr_array) -> Gaussian:
        anime = self._numbering.order[: fans.shape[1]]
        return gaussian_of(fans, anime, factors=self._settings.taste_factors)

    def _affinity(self, counts: Counts) -> tuple[csr_array, csr_array]:
        s = self._settings
        kind = Regularisation(s.affinity_ridge, s.affinity_dropout, s.affinity_popularity)
        grams = self._grams(counts)
        return solve(grams, kind, s.affinity_neighbours), solve(
            grams, NEWCOMERS, s.newcomer_neighbours
        )

    def _grams(self, counts: Counts) -> Grams:
        fewest = self._settings.lists_needed(self._n_fans)
        known = falling(counts.entries)[: int((counts.entries >= fewest).sum())]
        if len(known) < 2:  # nothing to relate to
            known = known[:0]
        m = len(known)
        numbering = self._cluster.constant(numbered(counts.anime_id, known))
        interests = self._of_shards(shard.group_interests, self._entries, numbering)
        self._entries = []
        gram, cross = np.zeros((m, m), np.float32), np.zeros((m, m), np.float32)

        def of(rows: object) -> Later:
            each = self._of_shards(shard.interest_sums, interests, rows)
            return self._cluster.submit(shard.single_precision, self._cluster.total(each))

        blocks = rows_within(m, self._plan.block_bytes)
        found = self._cluster.in_order(partial(of, rows) for rows in blocks)
        for rows, sums in zip(blocks, found, strict=True):
            own = slice(rows.first, rows.last)
            gram[own, : rows.last] = sums[:, :, 0]
            cross[own, : rows.last] = sums[:, :, 1]
            # Within the block both triangles are there, each half of them zero.
            cross[: rows.first, own] = sums[:, : rows.first, 2].T
            cross[own, own] += np.tril(sums[:, rows.first :, 2], -1).T
            self._told("affinity", rows.last, m)
        squares = gram.diagonal().copy()
        mirror_up(gram)
        return Grams(known, counts.entries[known], len(counts.anime_id), gram, squares, cross)

    def _of_shards(self, work: Callable[..., object], *arguments: object) -> list[Later]:
        """Run something on each shard; lists have an argument for each, all else is for all."""
        spread = (
            argument if isinstance(argument, list) else [argument] * len(self._first_fan)
            for argument in arguments
        )
        return [self._cluster.submit(work, *own) for own in zip(*spread, strict=True)]

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[step] = time.perf_counter() - start
