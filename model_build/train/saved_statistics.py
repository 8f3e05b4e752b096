"""Train on saved sums and the users that came since, without the ratings of those before.

Sums are only good for the biases that they were added up with. So a refresh keeps the mean, the
overall standard deviation and the biases of all items that had ratings; other items get theirs by
the same least squares over the new users, and each user's own follow in closed form. The result is
that of adding up all users with these biases, to rounding. The affinity needs none, and is that of
a full training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt

from app.recommender.array_types import Float64Array, Int32Array, Int64Array, UInt8Array
from model_build.data.dumps.prepared import PreparedDataset
from model_build.data.grouping import GroupedRatings, argsort_descending
from model_build.train import sufficient_statistics as statistics
from model_build.train.affinity import GramMatrices, GramMatrixBuilder, items_with_affinity
from model_build.train.bias_model import BiasModel, fit_bias_model
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
from model_build.train.statistics_store import FixedBiases, SavedStatistics, StatisticsWriter
from model_build.train.sufficient_statistics import ItemCounts, ItemOrdering, UserEntries
from model_build.train.topk_neighbours import SimilarityRows
from model_build.util.errors import InputError
from model_build.util.hashing import sample_by_hash
from model_build.util.threads import available_cpus

BLOCK_BYTES = 200_000_000
ITEM_ARRAYS = ("anime_id", "entries", "ratings", "appeal", "bias", "standard_bias")
SAMPLE_ARRAYS = ("fan", "start", "anime_id", "rating")
"""Names in the file, in the order of the fields of `UserSample`."""


def train_incrementally(
    location: Path,
    prepared: PreparedDataset,
    hyperparameters: Hyperparameters,
    saved: SavedStatistics | None,
    folder: Path,
    *,
    threads: int | None = None,
    block_bytes: int = BLOCK_BYTES,
    **options: Unpack[TrainingOptions],
) -> TrainedModel:
    """Fit a model on the sums ``saved`` and the partitions that are not in them.

    The sums over all users are written into ``folder``. Without ``saved`` the model is that of
    `model_build.train.driver.train_model`.
    """
    if saved is not None:
        _check_compatible(prepared, hyperparameters, saved.index.partitions, saved.index.fixed)
    threads = threads or available_cpus()
    gatherer = SavedStatisticsGatherer(
        location, prepared, saved, StatisticsWriter(folder), threads, block_bytes
    )
    trained = train_model(gatherer, hyperparameters, threads=threads, **options)
    s = hyperparameters
    gatherer.write_index(reg_user=s.reg_user, reg_item=s.reg_item, epochs=s.epochs)
    return trained


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
        before, wanted = getattr(fixed, name), getattr(hyperparameters, name)
        if before != wanted:
            option = name.replace("_", "-")
            raise InputError(
                f"--{option} {wanted:g}: the sums were added up with {before:g}; leave it so, or "
                "train in full with --keep-sums."
            )


class SavedStatisticsGatherer:
    """Sums over earlier users, if any, and the entries of the others in this process.

    Items keep the number that they were saved with, so that blocks can be added; new ones come
    last. Sums over all users are written on the way.
    """

    def __init__(
        self,
        location: Path,
        prepared: PreparedDataset,
        saved: SavedStatistics | None,
        writer: StatisticsWriter,
        threads: int,
        block_bytes: int,
    ) -> None:
        self._location, self._prepared, self._saved = location, prepared, saved
        self._writer, self._threads, self._block_bytes = writer, threads, block_bytes
        self._first_user = saved.index.fans if saved else 0
        none = {name: np.zeros(0, np.int32) for name in ITEM_ARRAYS}
        self._saved_items = saved.read("anime") if saved else none

    def count_items(self) -> tuple[ItemCounts, int]:
        """Read the new entries, and add the saved counts."""
        added = set(self._saved.index.partitions) if self._saved else set()
        partitions = [part for part in self._prepared.partitions if part.sha256 not in added]
        self._entries = statistics.read_shard(str(self._location), partitions, self._first_user)
        counts = statistics.count_items(self._entries)
        if self._saved is not None:
            counts += _saved_counts(self._saved_items, self._saved.index.score_total)
        self._rating_total = counts.rating_total
        return counts, self._first_user + self._entries.n_users

    def sample_lists(self) -> ListSample:
        """Draw from the new users and those drawn before."""
        samples = [ListSample.of_entries(self._entries)]
        if self._saved is not None:
            samples.append(ListSample.from_arrays(self._saved.read("lists")))
        sample = ListSample.draw(samples)
        self._writer.write("lists", **sample.to_arrays())
        return sample

    def group_ratings(self, counts: ItemCounts) -> ItemOrdering:
        """Group the new ratings; saved numbers stay."""
        old = self._saved_items["anime_id"]
        if self._saved is None:
            numbered = counts.anime_ids[argsort_descending(counts.ratings)]
        else:
            numbered = np.concatenate([old, np.setdiff1d(counts.anime_ids, old)])
        ordering = ItemOrdering.of(counts.anime_ids, counts.positions(numbered))
        self._ordering, self._counts = ordering, counts
        self._is_fixed = self._padded("ratings") > 0
        known = self._saved.rows if self._saved else []
        first = known[-1].last if known else 0
        self._row_ranges = known + split_row_ranges(len(numbered), self._block_bytes, first)
        self._grouped: GroupedRatings = statistics.group_ratings_by_number(self._entries, ordering)
        ratings = max(1, int(counts.ratings.sum()))
        self._mean = self._saved.index.fixed.mean if self._saved else self._rating_total / ratings
        return ordering

    def fit_biases(self, reg_user: float, reg_item: float, epochs: int) -> BiasModel:
        """Fit the biases that are not fixed."""
        self._bias = self._fit_item_biases(self._padded("bias"), reg_user, reg_item, epochs)
        fitted = statistics.bias_model_of_items(self._grouped, self._mean, self._bias, reg_user)
        self._kind, self._values = "score", fitted.residual
        return BiasModel.of_items(self._mean, self._bias[self._ordering.rank])

    def fit_standard_scores(self) -> StandardScores:
        """Fit the biases that are not fixed, as `fit_biases`."""
        reg = BIAS_REGULARISATION
        self._standard_bias = bias = self._fit_item_biases(
            self._padded("standard_bias"), reg, reg, BIAS_EPOCHS
        )
        fitted = statistics.bias_model_of_items(self._grouped, self._mean, bias, reg)
        if self._saved is not None:
            self._overall_std = self._saved.index.fixed.spread
        else:
            self._overall_std = float(fitted.residual.std()) or 1.0
        scores = statistics.standardise_residuals(self._grouped, fitted, self._overall_std)
        self._kind, self._values = "standard", standard_score_values(self._grouped, scores)
        return StandardScores.of_items(bias[self._ordering.rank], self._overall_std)

    def similarity_rows(self, shrinkage: float, min_support: int) -> Iterator[SimilarityRows]:
        """Add the saved sums to those of the new ratings."""
        blocks = self._summed_blocks(
            self._kind,
            lambda rows: pearson_sum_block(self._grouped, self._values, rows, self._threads),
        )
        for rows, block in blocks:
            yield similarities_from_sums(block, rows, shrinkage, min_support)

    def sample_scores(self) -> SampledScores:
        """Draw from the new users and those drawn before."""
        saved = self._saved.read("sample") if self._saved else {}
        numbered = self._ordering.anime_ids[self._ordering.order]
        sample = UserSample.draw(self._grouped, self._first_user, numbered, saved)
        self._writer.write("sample", **sample.to_arrays())
        return sample.standard_scores(
            self._counts, self._mean, self._standard_bias[self._ordering.rank], self._overall_std
        )

    def release_scores(self) -> None:
        """Free the grouped ratings."""
        del self._grouped, self._values

    def gram_matrices(self, counts: ItemCounts, min_entries: int) -> GramMatrices:
        """Add the saved sums to those of the new entries, over all items."""
        weighted = statistics.weigh_numbered_entries(self._entries, self._ordering)
        known = items_with_affinity(counts.entries, min_entries)
        builder = GramMatrixBuilder(known, counts.entries, self._ordering.order)
        for rows, block in self._summed_blocks(
            "interest", lambda rows: gram_sum_block(weighted, rows, self._threads)
        ):
            builder.add_block(rows.first, block[:, :, :3])
        return builder.build()

    def write_index(self, **settings: Any) -> None:
        """Write what is left, after everything that was asked for."""
        counts, order = self._counts, self._ordering.order
        arrays: tuple[npt.NDArray[Any], ...] = (
            self._ordering.anime_ids[order],
            counts.entries[order],
            counts.ratings[order],
            counts.relevance[order],
            self._bias,
            self._standard_bias,
        )
        self._writer.write("anime", **dict(zip(ITEM_ARRAYS, arrays, strict=True)))
        self._writer.write_index(
            partitions=[part.sha256 for part in self._prepared.partitions],
            fans=self._first_user + self._entries.n_users,
            score_total=self._rating_total,
            rows=[(rows.first, rows.last) for rows in self._row_ranges],
            fixed=FixedBiases(mean=self._mean, spread=self._overall_std, **settings),
        )

    def _fit_item_biases(
        self, bias: Float64Array, reg_user: float, reg_item: float, epochs: int
    ) -> Float64Array:
        """Fit biases by number: to all ratings, or those of items that have no fixed one."""
        grouped = self._grouped
        if self._saved is None:
            fitted = fit_bias_model(
                grouped, reg_user=reg_user, reg_item=reg_item, epochs=epochs, threads=self._threads
            )
            return fitted.item_bias[self._ordering.order]
        count = np.diff(grouped.item_indptr)
        for _ in range(epochs):
            total = statistics.item_residual_totals(grouped, self._mean, bias, reg_user)
            found = statistics.solve_item_biases(total, count, reg_item)
            bias = np.where(self._is_fixed, bias, found)
        return bias

    def _padded(self, name: str) -> Float64Array:
        """Extend what was saved of each item by number with 0 for new ones."""
        values = np.zeros(len(self._ordering.order))
        values[: len(self._saved_items[name])] = self._saved_items[name]
        return values

    def _summed_blocks(
        self, kind: str, sum_block: Callable[[RowRange], Float64Array]
    ) -> Iterator[tuple[RowRange, Float64Array]]:
        """Yield blocks of the sums over all users, which are written on the way."""
        for number, rows in enumerate(self._row_ranges):
            block = sum_block(rows)
            if self._saved is not None and number < len(self._saved.rows):
                self._saved.add_saved_block(block, kind, number)
            self._writer.write_block(block, kind, number)
            yield rows, block


def _saved_counts(arrays: Mapping[str, npt.NDArray[Any]], rating_total: float) -> ItemCounts:
    order = np.argsort(arrays["anime_id"])
    ids, entries, ratings, relevance = (arrays[name][order] for name in ITEM_ARRAYS[:4])
    return ItemCounts(ids, entries, ratings, relevance, rating_total)


@dataclass(frozen=True, slots=True)
class UserSample:
    """Ratings of the users drawn for the Gaussian, saved so that others can join the draw.

    Those of the users ``user`` (k,), ascending, are delimited by ``indptr`` (k + 1,).
    """

    user: Int64Array
    indptr: Int64Array
    anime_id: Int32Array
    rating: UInt8Array

    @classmethod
    def draw(
        cls,
        grouped: GroupedRatings,
        first_user: int,
        anime_ids: Int32Array,
        saved: Mapping[str, npt.NDArray[Any]],
    ) -> UserSample:
        """Draw from new users, numbered from ``first_user``, and from those drawn before.

        Parameters
        ----------
        anime_ids
            (n_items,) by number.
        saved
            What `to_arrays` made of an earlier draw, or nothing.
        """
        new = cls(
            first_user + np.arange(grouped.n_users),
            grouped.user_indptr,
            anime_ids[grouped.user_item],
            grouped.user_rating.astype(np.uint8),
        )
        drawn = sample_gaussian_users(grouped.user_indptr, first_user)
        if not saved:
            return new._restrict_to_users(drawn)
        old = cls(*(saved[name] for name in SAMPLE_ARRAYS))
        drawn = sample_by_hash(np.concatenate([old.user, drawn]), MAX_SAMPLED_USERS)
        one, other = old._restrict_to_users(drawn), new._restrict_to_users(drawn)
        return cls(
            np.concatenate([one.user, other.user]),
            np.concatenate([one.indptr, one.indptr[-1] + other.indptr[1:]]),
            np.concatenate([one.anime_id, other.anime_id]),
            np.concatenate([one.rating, other.rating]),
        )

    def _restrict_to_users(self, users: Int64Array) -> UserSample:
        own = np.isin(self.user, users)
        length = np.diff(self.indptr)
        ratings = np.repeat(own, length)
        start = np.concatenate([[0], np.cumsum(length[own])])
        return UserSample(self.user[own], start, self.anime_id[ratings], self.rating[ratings])

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays to be saved."""
        arrays = (self.user, self.indptr, self.anime_id, self.rating)
        return dict(zip(SAMPLE_ARRAYS, arrays, strict=True))

    def standard_scores(
        self, counts: ItemCounts, mean: float, item_bias: Float64Array, overall_std: float
    ) -> SampledScores:
        """Compute standard scores for given ``item_bias`` (n_items,), by the ids of ``counts``."""
        n_users = len(self.user)
        user = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(self.indptr))
        item = counts.positions(self.anime_id).astype(np.int32)
        status = np.zeros(len(user), np.uint8)
        entries = UserEntries(0, n_users, counts.anime_ids, user, item, self.rating, status)
        ordering = counts.ordering()
        grouped = statistics.group_ratings_by_number(entries, ordering)
        fitted = statistics.bias_model_of_items(
            grouped, mean, item_bias[ordering.order], BIAS_REGULARISATION
        )
        standard = statistics.standardise_residuals(grouped, fitted, overall_std)
        m = gaussian_item_count(counts.ratings[ordering.order])
        scores = standard_score_matrix(grouped, standard, m, np.arange(n_users))
        return SampledScores(scores, ordering.order[:m])
