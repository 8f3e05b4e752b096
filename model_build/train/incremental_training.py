"""Train on kept sums and the fans that came since, without the ratings of those before.

Sums are only good for the baselines that they were added up with. So a refresh keeps the mean, the
mean spread and the biases of all anime that had ratings; other anime get theirs by the same least
squares over the new fans, and each fan's own follow in closed form. The result is that of adding up
all fans with these baselines, to rounding. The affinity needs none, and is that of a full training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from app.recommender.array_types import Float64Array
from model_build.data.dumps.prepared import PreparedDataset
from model_build.data.grouping import GroupedRatings
from model_build.train import sufficient_statistics as shard
from model_build.train.affinity import SHORT_HISTORY, EaseRegularisation, solve_ease
from model_build.train.bias_model import BiasModel, fit_bias_model
from model_build.train.cold_start import ColdStartCatalogue, FittedComponents
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_statistics import GramMatrixBuilder, ItemStatistics
from model_build.train.model_arrays import ModelArrays, knn_arrays
from model_build.train.pair_sums import (
    RowRange,
    add_similarity_rows,
    finish_similarity_rows,
    gram_sum_block,
    pearson_sum_block,
    split_row_ranges,
)
from model_build.train.score_model import BIAS_EPOCHS, BIAS_REGULARISATION, StandardScores
from model_build.train.statistics_store import FixedBiases, SavedStatistics, StatisticsWriter
from model_build.train.topk_neighbours import TopKNeighbours
from model_build.train.training import TrainedModel, assemble_model
from model_build.train.user_sample import UserSample
from model_build.util.errors import InputError
from model_build.util.threads import available_cpus

BLOCK_BYTES = 200_000_000

FinishBlock = Callable[[RowRange, Float64Array], None]


def train_incrementally(
    location: Path,
    prepared: PreparedDataset,
    hyperparameters: Hyperparameters,
    saved: SavedStatistics | None,
    folder: Path,
    *,
    cold_start: ColdStartCatalogue | None = None,
    threads: int | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> TrainedModel:
    """Fit a model on the sums ``kept`` and the partitions that are not in them.

    The sums of all are written into ``folder``. Without ``kept`` the model is that of
    `model_build.train.training.train_model`.

    Raises:
        InputError: a partition is missing or changed, one that was added is not there any more,
            or the sums were added up with other settings.
    """
    if saved is not None:
        _check_compatible(prepared, hyperparameters, saved.index.partitions, saved.index.fixed)
    job = _IncrementalTrainer(
        hyperparameters, saved, StatisticsWriter(folder), threads or available_cpus(), block_bytes
    )
    return job.train(location, prepared, cold_start)


def _check_compatible(
    prepared: PreparedDataset,
    hyperparameters: Hyperparameters,
    added: list[str],
    fixed: FixedBiases,
) -> None:
    gone = set(added) - {partition.sha256 for partition in prepared.partitions}
    if gone:
        raise InputError(
            f"{len(gone)} of the {len(added)} partitions that the sums were added from are not "
            "among these ratings, or have changed; train in full with --keep-sums."
        )
    for name in ("reg_user", "reg_item", "epochs"):
        kept, wanted = getattr(fixed, name), getattr(hyperparameters, name)
        if kept != wanted:
            option = name.replace("_", "-")
            raise InputError(
                f"--{option} {wanted:g}: the sums were added up with {kept:g}; leave it so, or "
                "train in full with --keep-sums."
            )


class _IncrementalTrainer:
    def __init__(
        self,
        hyperparameters: Hyperparameters,
        saved: SavedStatistics | None,
        writer: StatisticsWriter,
        threads: int,
        block_bytes: int,
    ) -> None:
        self._hyperparameters, self._saved, self._writer = hyperparameters, saved, writer
        self._threads, self._block_bytes = threads, block_bytes
        self._seconds: dict[str, float] = {}

    def train(
        self, location: Path, prepared: PreparedDataset, cold_start: ColdStartCatalogue | None
    ) -> TrainedModel:
        kept = self._saved
        added = set(kept.index.partitions) if kept else set()
        partitions = [part for part in prepared.partitions if part.sha256 not in added]
        first_fan = kept.index.fans if kept else 0
        with self._time_step("reading"):
            entries = shard.read_shard(str(location), partitions, first_fan)
        counts = shard.count_shard_items(entries)
        if cold_start is not None:
            counts = cold_start.add_to_counts(counts)
        total = counts.rating_total + (kept.index.score_total if kept else 0.0)
        anime = ItemStatistics.merge_counts(counts, kept.read("anime") if kept else None)
        known = kept.rows if kept else []
        self._row_ranges = known + split_row_ranges(
            len(anime.anime_id), self._block_bytes, known[-1].last if known else 0
        )
        with self._time_step("grouping"):
            grouped = shard.group_shard_ratings(entries, anime.ordering)
        mean = kept.index.fixed.mean if kept else total / max(1, int(anime.ratings.sum()))
        knn = self._fit_knn(grouped, anime, mean)
        taste, spread = self._fit_score_similarity(grouped, anime, mean)
        none = np.zeros(0)
        standard = StandardScores(anime.in_id_order(anime.standard_bias), none, none, none, spread)
        sample = UserSample.draw(
            grouped, first_fan, anime.anime_id, kept.read("sample") if kept else {}
        )
        with self._time_step("taste factors"):
            gaussian = sample.fit_gaussian(
                anime,
                mean,
                spread,
                factors=self._hyperparameters.taste_factors,
                threads=self._threads,
            )
        del grouped
        fans = first_fan + entries.n_users
        weights = self._fit_affinity(entries, anime, fans)
        self._writer.write("anime", **anime.to_arrays())
        self._writer.write("sample", **sample.to_arrays())
        s = self._hyperparameters
        self._writer.write_index(
            partitions=[part.sha256 for part in prepared.partitions],
            fans=fans,
            score_total=total,
            rows=[(rows.first, rows.last) for rows in self._row_ranges],
            fixed=FixedBiases(
                mean=mean, spread=spread, reg_user=s.reg_user, reg_item=s.reg_item, epochs=s.epochs
            ),
        )
        counted = anime.to_model_arrays(fans)
        facts = fresh = None
        if cold_start is not None:
            ids, listed = counted.arrays["anime_id"], counted.arrays["entry_count"]
            facts, fresh = (
                cold_start.item_features(ids),
                cold_start.cold_positions(ids, listed, s.affinity_min_entries(fans)),
            )
        return assemble_model(
            counted,
            knn,
            taste,
            FittedComponents(standard, gaussian, *weights),
            s,
            fans,
            item_features=facts,
            cold_items=fresh,
            seconds=self._seconds,
        )

    def _fit_knn(self, grouped: GroupedRatings, anime: ItemStatistics, mean: float) -> ModelArrays:
        s = self._hyperparameters
        with self._time_step("baselines"):
            anime.bias = self._fit_item_biases(
                grouped, anime, anime.bias, mean, s.reg_user, s.reg_item, s.epochs
            )
            fitted = shard.shard_bias_model(grouped, mean, anime.bias, s.reg_user)
        with self._time_step("similarity"):
            similarity = self._fit_similarity(
                "score", grouped, fitted.residual, s.shrinkage, s.min_support, s.neighbours, anime
            )
        none = np.zeros(0)
        biases = BiasModel(mean, none, anime.in_id_order(anime.bias), none)
        return knn_arrays(biases, similarity, s.precision)

    def _fit_score_similarity(
        self, grouped: GroupedRatings, anime: ItemStatistics, mean: float
    ) -> tuple[csr_array, float]:
        s = self._hyperparameters
        with self._time_step("standard scores"):
            anime.standard_bias = self._fit_item_biases(
                grouped,
                anime,
                anime.standard_bias,
                mean,
                BIAS_REGULARISATION,
                BIAS_REGULARISATION,
                BIAS_EPOCHS,
            )
            fitted = shard.shard_bias_model(grouped, mean, anime.standard_bias, BIAS_REGULARISATION)
            spread = (
                self._saved.index.fixed.spread
                if self._saved
                else float(fitted.residual.std()) or 1.0
            )
            scores = shard.shard_standard_scores(grouped, fitted, spread)
            values = shard.standard_score_values(grouped, scores)
        with self._time_step("taste similarity"):
            similarity = self._fit_similarity(
                "standard", grouped, values, s.taste_shrinkage, 1, s.taste_neighbours, anime
            )
        return similarity, spread

    def _fit_item_biases(
        self,
        grouped: GroupedRatings,
        anime: ItemStatistics,
        bias: Float64Array,
        mean: float,
        reg_user: float,
        reg_item: float,
        epochs: int,
    ) -> Float64Array:
        """Biases by number: fitted to all, or those of anime that are new to what is fixed."""
        if self._saved is None:
            fitted = fit_bias_model(
                grouped, reg_user=reg_user, reg_item=reg_item, epochs=epochs, threads=self._threads
            )
            return fitted.item_bias[anime.ordering.order]
        count = np.diff(grouped.item_start)
        for _ in range(epochs):
            total = shard.item_residual_totals(grouped, mean, bias, reg_user)
            found = shard.solve_item_biases(total, count, reg_item)
            bias = np.where(anime.has_fixed_bias, bias, found)
        return bias

    def _fit_similarity(
        self,
        kind: str,
        grouped: GroupedRatings,
        values: Float64Array,
        shrinkage: float,
        min_support: int,
        n_neighbours: int,
        anime: ItemStatistics,
    ) -> csr_array:
        nearest = TopKNeighbours(len(anime.anime_id), n_neighbours)
        with ThreadPoolExecutor(self._threads) as pool:
            for rows, block in self._merged_blocks(
                kind, lambda rows: pearson_sum_block(grouped, values, rows, self._threads)
            ):
                similar = finish_similarity_rows(block, rows, shrinkage, min_support)
                add_similarity_rows(nearest, similar, pool, self._threads)
        return nearest.to_csr(anime.ordering.order, anime.ordering.rank)

    def _fit_affinity(
        self, entries: shard.ShardEntries, anime: ItemStatistics, n_users: int
    ) -> tuple[csr_array, csr_array]:
        s = self._hyperparameters
        kind = EaseRegularisation(s.affinity_ridge, s.affinity_dropout, s.affinity_popularity)
        with self._time_step("pair sums"):
            given = shard.group_weighted_entries(entries, anime.ordering)
            grams = GramMatrixBuilder(anime, s.affinity_min_entries(n_users))
            for rows, block in self._merged_blocks(
                "interest",
                lambda rows: gram_sum_block(
                    given.groups, given.input_weight, given.relevance, rows, self._threads
                ),
            ):
                grams.add_block(rows, block)
        with self._time_step("affinity"):
            solved = grams.build()
            return solve_ease(solved, kind, s.affinity_neighbours), solve_ease(
                solved, SHORT_HISTORY, s.newcomer_neighbours
            )

    def _merged_blocks(
        self, kind: str, of: Callable[[RowRange], Float64Array]
    ) -> Iterator[tuple[RowRange, Float64Array]]:
        """Blocks of the sums of all fans, which are kept on the way."""
        for number, rows in enumerate(self._row_ranges):
            block = of(rows)
            if self._saved is not None and number < len(self._saved.rows):
                self._saved.add_saved_block(block, kind, number)
            self._writer.write_block(block, kind, number)
            yield rows, block

    @contextmanager
    def _time_step(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[step] = time.perf_counter() - start
