"""Train on saved sums and the users that came since, without the ratings of those before.

Sums are only good for the biases that they were added up with. So a refresh keeps the mean, the
overall standard deviation and the biases of all items that had ratings; other items get theirs by
the same least squares over the new users, and each user's own follow in closed form. The result is
that of adding up all users with these biases, to rounding. The affinity needs none, and is that of
a full training.

The sums are a folder beside the model:

    sums.json       what was added up, with which biases; vouches for every other file
    anime.npz       counts and biases of each item, by its number
    sample.npz      the ratings of the users drawn for the Gaussian
    lists.npz       the lists of the users drawn for the second stage
    KIND-000000.npz, ...   blocks of pair sums of each kind, without the pairs that no user has

They hold single users' ratings, so they are private, as the ratings are.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Unpack

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from app.recommender.array_types import Float64Array
from app.recommender.atomic_writes import fsync_path
from model_build.data.dumps.prepared import PreparedDataset, StrictModel
from model_build.data.grouping import GroupedRatings, argsort_descending
from model_build.train import sufficient_statistics as statistics
from model_build.train.affinity import GramMatrices, GramMatrixBuilder, items_with_affinity
from model_build.train.bias_model import BiasModel, fit_bias_model
from model_build.train.checkpoints import flatten, rebuild
from model_build.train.driver import TrainingOptions, train_model
from model_build.train.gatherer import SampledScores
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.list_sample import ListSample
from model_build.train.model_arrays import TrainedModel
from model_build.train.pair_sums import (
    SUMS_PER_PAIR,
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
    standard_score_matrix,
    standard_score_values,
)
from model_build.train.similarity import SimilarityRows
from model_build.train.sufficient_statistics import EntriesOfUsers, ItemCounts, ItemOrdering
from model_build.util.errors import InputError, first_error
from model_build.util.threads import available_cpus

BLOCK_BYTES = 200_000_000
ITEM_ARRAYS = ("anime_id", "entries", "ratings", "appeal", "bias", "standard_bias")
SAMPLE_FIELDS = {"fan": "user", "start": "indptr", "anime_id": "anime_id", "rating": "rating"}
"""Names in the file of scores for the Gaussian -> fields of `ListSample`."""


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

    Items that were listed keep their order, so that blocks can be added; new ones come last. Sums
    over all users are written on the way.
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
        self._saved_items = saved.items if saved else none

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
            samples.append(rebuild(ListSample, self._saved.read("lists")))
        sample = ListSample.draw(samples)
        self._writer.write("lists", **flatten(sample))
        return sample

    def group_ratings(self, counts: ItemCounts) -> ItemOrdering:
        """Group the new ratings; saved items come first, in their order."""
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
        samples = [
            ListSample.of_entries(self._entries.scored(), None, MAX_SAMPLED_USERS, min_entries=2)
        ]
        if self._saved is not None:
            samples.append(_saved_scores(self._saved.read("sample")))
        sample = ListSample.draw(samples, MAX_SAMPLED_USERS)
        self._writer.write(
            "sample", **{name: getattr(sample, field) for name, field in SAMPLE_FIELDS.items()}
        )
        item_bias = self._standard_bias[self._ordering.rank]
        return self._standard_scores(sample, item_bias)

    def _standard_scores(self, sample: ListSample, item_bias: Float64Array) -> SampledScores:
        """Compute standard scores for given ``item_bias`` (n_items,), by the ids of all counts."""
        counts, n_users = self._counts, len(sample.user)
        user = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(sample.indptr))
        item = counts.positions(sample.anime_id).astype(np.int32)
        entries = EntriesOfUsers(
            0, n_users, counts.anime_ids, user, item, sample.rating, sample.status
        )
        ordering = counts.ordering()
        grouped = statistics.group_ratings_by_number(entries, ordering)
        fitted = statistics.bias_model_of_items(
            grouped, self._mean, item_bias[ordering.order], BIAS_REGULARISATION
        )
        standard = statistics.standardise_residuals(grouped, fitted, self._overall_std)
        m = gaussian_item_count(counts.ratings[ordering.order])
        scores = standard_score_matrix(grouped, standard, m, np.arange(n_users))
        return SampledScores(scores, ordering.order[:m])

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


def _saved_scores(arrays: Mapping[str, npt.NDArray[Any]]) -> ListSample:
    nothing = np.zeros(len(arrays["rating"]), np.uint8)
    user, indptr, anime_id, rating = (arrays[name] for name in SAMPLE_FIELDS)
    return ListSample(user, indptr, anime_id, rating, nothing, nothing.astype(np.int16))


STATISTICS_FORMAT: Final = 2
INDEX_FILE = "sums.json"

ArrayDict = dict[str, npt.NDArray[Any]]


class FixedBiases(StrictModel):
    """What sums are only good for: ``mean`` and ``spread`` (overall_std) with the item biases."""

    mean: float
    spread: float
    reg_user: float
    reg_item: float
    epochs: int


class StatisticsIndex(StrictModel):
    """``sums.json``: of which partitions (their sha256) and how many users, in which ``rows``."""

    format: Literal[2]
    partitions: list[str]
    fans: int
    score_total: float
    fixed: FixedBiases
    rows: list[tuple[int, int]]
    files: dict[Annotated[str, Field(pattern=r"^[a-z]+(-[0-9]+)?\.npz$")], str]


def statistics_path(model: Path) -> Path:
    """Name the folder of the sums of a model."""
    model = model.absolute()
    return model.with_name(f"{model.name}.sums")


class SavedStatistics:
    """Opened sums: ``items`` by number, as `ITEM_ARRAYS`, in blocks of ``rows``.

    Items that nobody listed, as those too new for ratings, have no sums and are left out, so that
    each training says anew which of them it wants; the others are numbered without them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        file = folder / INDEX_FILE
        try:
            self.index = StatisticsIndex.model_validate_json(file.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"{file}: not found, so there are no sums to add to; train with --keep-sums first."
            ) from None
        except ValidationError as error:
            raise InputError(
                f"{file}: {first_error(error)}; train in full with --keep-sums."
            ) from None
        saved_items = self.read("anime")
        listed = saved_items["entries"] > 0
        self.items = {name: array[listed] for name, array in saved_items.items()}
        self._number = np.concatenate([[0], np.cumsum(listed)])
        blocks = [(number, RowRange(*rows)) for number, rows in enumerate(self.index.rows)]
        self._blocks = [each for each in blocks if listed[each[1].first : each[1].last].any()]
        self.rows = [
            RowRange(int(self._number[saved.first]), int(self._number[saved.last]))
            for _, saved in self._blocks
        ]

    def read(self, name: str) -> ArrayDict:
        """Read the arrays of a file."""
        file = self._folder / f"{name}.npz"
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            raise InputError(
                f"{file}: missing, but {INDEX_FILE} lists it; train in full."
            ) from None
        if hashlib.sha256(data).hexdigest() != self.index.files.get(file.name):
            raise InputError(f"{file}: is not what {INDEX_FILE} says; train in full.")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)

    def add_saved_block(self, block: Float64Array, kind: str, number: int) -> None:
        """Add the saved sums of a block (rows, items, 4) to those of other users."""
        (file, saved), rows = self._blocks[number], self.rows[number]
        arrays = self.read(f"{kind}-{file:06}")
        row, column = np.divmod(arrays["place"].astype(np.int64), saved.last)
        row, column = self._number[row + saved.first] - rows.first, self._number[column]
        block.reshape(-1, SUMS_PER_PAIR)[row * rows.last + column] += arrays["sums"]


class StatisticsWriter:
    """Sums that are being written into an empty ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, str] = {}

    def write(self, name: str, **arrays: npt.NDArray[Any]) -> None:
        """Write a file of arrays."""
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, **arrays)
        file = self._folder / f"{name}.npz"
        file.write_bytes(data.getbuffer())
        fsync_path(file)
        self._files[file.name] = hashlib.sha256(data.getbuffer()).hexdigest()

    def write_block(self, block: Float64Array, kind: str, number: int) -> None:
        """Write a block of sums (rows, items, 4); pairs that are all 0 are left out."""
        flat = block.reshape(-1, SUMS_PER_PAIR)
        place = np.flatnonzero(flat.any(axis=1))
        self.write(f"{kind}-{number:06}", place=place.astype(np.uint32), sums=flat[place])

    def write_index(self, **facts: Any) -> None:
        """Write the index, after everything else."""
        index = StatisticsIndex(format=STATISTICS_FORMAT, files=self._files, **facts)
        (self._folder / INDEX_FILE).write_text(index.model_dump_json() + "\n", "utf-8")
        fsync_path(self._folder / INDEX_FILE)
