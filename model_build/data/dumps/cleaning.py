"""From a dump's file to partitions of cleaned entries: read, sort on disk, clean, write.

The rules are those that users of these dumps apply (`CLEANING_RULES`; 0 turns one off). Each is
applied once, in this order: repeated entries, users, anime by the entries of the users that are
left. Users who scored too many anime count as bots; many scores that are all the same carry no
information.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from app.recommender.array_types import BoolArray, Int32Array
from model_build.data.config import PrepareOptions
from model_build.data.dumps.csv_entries import (
    MAX_ANIME_ID,
    CleaningCounts,
    UserIdMap,
    read_entry_blocks,
)
from model_build.data.dumps.formats import RatingsFileFormat
from model_build.data.dumps.prepared import (
    RATINGS_FOLDER,
    USERS_PER_PARTITION,
    EntryArrays,
    RatingsPartition,
    read_partition,
    write_partition,
)
from model_build.data.dumps.source import CsvSource
from model_build.util.threads import available_cpus

CLEANING_RULES = ("min_fan_entries", "max_fan_scores", "same_score", "min_anime_entries")
ANIME_BITS = 24
BUFFERED_ENTRIES = 2_000_000
SORT_FOLDER = "spill"
NO_ANIME_IDS = np.empty(0, np.int32)
_COLUMNS = ("user_id", "anime_id", "rating", "status")
_ENTRY_DTYPE = np.dtype(list(zip(_COLUMNS, ("<i4", "<i4", "u1", "u1"), strict=True)))


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """The partitions of one file, and what was read and dropped of it."""

    partitions: list[RatingsPartition]
    counts: CleaningCounts
    n_anime: int


class ExternalSorter:
    """Entries sorted by range of users, one file in ``folder`` for each `USERS_PER_PARTITION`.

    Entries of a range stay in the order in which they were added; what was added need not fit into
    memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buffer: list[EntryArrays] = []
        self._count = 0
        self._partitions: set[int] = set()

    def add(self, block: EntryArrays) -> None:
        """Add entries; they are on disk after `flush` at the latest."""
        self._buffer.append(block)
        self._count += len(block)
        if self._count >= BUFFERED_ENTRIES:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        if not self._count:
            return
        entries = np.empty(self._count, _ENTRY_DTYPE)
        for name in _COLUMNS:
            entries[name] = np.concatenate([getattr(block, name) for block in self._buffer])
        self._buffer, self._count = [], 0
        partition = entries["user_id"] // USERS_PER_PARTITION
        for number in np.unique(partition).tolist():
            self._partitions.add(number)
            with self._partition_file(number).open("ab") as file:
                file.write(entries[partition == number].data)

    def partitions(self) -> list[int]:
        """Return the numbers of the ranges that hold entries, ascending."""
        return sorted(self._partitions)

    def pop_partition(self, partition: int) -> pl.DataFrame:
        """Read the entries of one range and remove its file."""
        file = self._partition_file(partition)
        entries = np.fromfile(file, _ENTRY_DTYPE)
        file.unlink()
        return pl.DataFrame({name: entries[name] for name in _COLUMNS})

    def _partition_file(self, partition: int) -> Path:
        return self._folder / f"{partition:06}"


def write_partitions(
    source: CsvSource,
    file_format: RatingsFileFormat,
    rules: PrepareOptions,
    folder: Path,
    on_progress: Callable[[int], object] = lambda _rows: None,
    *,
    first_user: int = 0,
    known_anime_ids: Int32Array = NO_ANIME_IDS,
) -> PartitionResult:
    """Read a file once, clean it, and write its partitions into ``folder``.

    Memory: a few blocks of rows while reading, then one partition a thread; what is in between
    is on disk, in ``folder``. ``on_progress`` gets the number of rows read so far. Users are
    numbered from ``first_user``; anime in ``known_anime_ids`` (k,), of other files, are never rare.
    """
    (folder / RATINGS_FOLDER).mkdir()
    (folder / SORT_FOLDER).mkdir()
    sorter, counts = ExternalSorter(folder / SORT_FOLDER), CleaningCounts()
    for block in read_entry_blocks(source, file_format, UserIdMap(first_user), counts):
        sorter.add(block)
        on_progress(counts.rows)
    sorter.flush()
    digest = source.digest()
    count = np.zeros(MAX_ANIME_ID + 1, np.int32)

    def clean(number: int) -> tuple[RatingsPartition | None, CleaningCounts, Int32Array]:
        own = CleaningCounts()
        kept = drop_duplicate_entries(sorter.pop_partition(number), own)
        kept = drop_outlier_users(kept, rules, own)
        arrays = EntryArrays(*(kept[name].to_numpy() for name in _COLUMNS))
        partition = write_partition(folder, number, arrays, digest) if len(kept) else None
        return partition, own, arrays.anime_id

    partitions: list[RatingsPartition] = []
    with ThreadPoolExecutor(available_cpus()) as pool:  # polars and pyarrow release the GIL
        for partition, own, anime in pool.map(clean, sorter.partitions()):
            partitions += [partition] if partition else []
            counts.add(own)
            np.add.at(count, anime, 1)
    (folder / SORT_FOLDER).rmdir()
    rare = count < rules.min_anime_entries
    rare[known_anime_ids] = False
    if (rare & (count > 0)).any():
        partitions = _rewrite_without(rare, folder, partitions, rules, counts)
        count[rare] = 0
    return PartitionResult(partitions, counts, int((count > 0).sum()))


def drop_duplicate_entries(entries: pl.DataFrame, dropped: CleaningCounts) -> pl.DataFrame:
    """Entries sorted by user and anime, each pair once: the last of the file."""
    user, anime = entries["user_id"].to_numpy(), entries["anime_id"].to_numpy()
    pair = (user.astype(np.int64) << ANIME_BITS) | anime
    order = np.argsort(pair, kind="stable")
    is_last = np.append(np.diff(pair[order]) > 0, [True] * (len(pair) > 0))
    kept: pl.DataFrame = entries[order[is_last]]
    dropped.entries["the same anime again; the last entry counts"] += len(entries) - len(kept)
    return kept


def drop_outlier_users(
    entries: pl.DataFrame, rules: PrepareOptions, dropped: CleaningCounts
) -> pl.DataFrame:
    """Drop whole users, each for the first reason that there is."""
    scores = pl.col("rating").filter(pl.col("rating") > 0)
    users = entries.group_by("user_id").agg(
        size=pl.len(), n_scored=scores.len(), n_distinct=scores.n_unique()
    )
    n_scored = pl.col("n_scored")
    reasons = {
        f"fans with fewer than {rules.min_fan_entries} entries": (
            pl.col("size") < rules.min_fan_entries
        )
    }
    if rules.max_fan_scores:
        why = f"fans who scored more than {rules.max_fan_scores} anime"
        reasons[why] = n_scored > rules.max_fan_scores
    if rules.same_score:
        why = f"fans who gave {rules.same_score} or more scores, all the same"
        reasons[why] = (n_scored >= rules.same_score) & (pl.col("n_distinct") == 1)
    for why, wrong in reasons.items():
        gone = users.filter(wrong)
        dropped.users[why] += len(gone)
        dropped.entries[why] += int(gone["size"].sum())
        users = users.filter(~wrong)
    return entries.join(users, on="user_id", how="semi", maintain_order="left")


def drop_rare_items(
    entries: EntryArrays, rare: BoolArray, rules: PrepareOptions, dropped: CleaningCounts
) -> EntryArrays:
    """Drop entries of anime marked in ``rare``, (largest id + 1,), and users who then have none."""
    wrong = rare[entries.anime_id]
    if not wrong.any():
        return entries
    kept = entries.take(~wrong)
    why = f"anime with fewer than {rules.min_anime_entries} entries"
    dropped.entries[why] += int(wrong.sum())
    dropped.users[why] += len(np.unique(entries.user_id)) - len(np.unique(kept.user_id))
    return kept


def _rewrite_without(
    rare: BoolArray,
    folder: Path,
    partitions: list[RatingsPartition],
    rules: PrepareOptions,
    counts: CleaningCounts,
) -> list[RatingsPartition]:
    def rewrite(partition: RatingsPartition) -> tuple[RatingsPartition | None, CleaningCounts]:
        own = CleaningCounts()
        kept = drop_rare_items(read_partition(folder, partition), rare, rules, own)
        if len(kept) == partition.rows:
            return partition, own
        (folder / partition.file).unlink()
        if not len(kept):
            return None, own
        number = int(Path(partition.file).stem)
        return write_partition(folder, number, kept, partition.source), own

    found: list[RatingsPartition] = []
    with ThreadPoolExecutor(available_cpus()) as pool:
        for written, own in pool.map(rewrite, partitions):
            found += [written] if written else []
            counts.add(own)
    return found
