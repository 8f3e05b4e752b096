"""From a dump's file to partitions of cleaned entries; the steps of `prepare`, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from app.recommender.array_types import BoolArray, Int32Array
from model_build.data.dumps.cleaning import (
    CleaningRules,
    DropCounts,
    drop_duplicate_entries,
    drop_outlier_users,
    drop_rare_items,
)
from model_build.data.dumps.csv_entries import MAX_ANIME_ID, RowCounts, read_entry_blocks
from model_build.data.dumps.external_sort import ENTRY_DTYPE, EntryArray, ExternalSorter
from model_build.data.dumps.formats import RatingsFileFormat
from model_build.data.dumps.id_map import UserIdMap
from model_build.data.dumps.prepared import (
    RATINGS_FOLDER,
    EntryArrays,
    RatingsPartition,
    read_partition,
    write_partition,
)
from model_build.data.dumps.source import CsvSource
from model_build.util.threads import available_cpus

T = TypeVar("T")
SORT_FOLDER = "spill"
NO_ANIME_IDS = np.empty(0, np.int32)


def _no_progress(_rows: int) -> None:
    """For who need not be told."""


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """The partitions of one file, what was read of it, and what was dropped."""

    partitions: list[RatingsPartition]
    row_counts: RowCounts
    dropped: DropCounts
    n_anime: int


def write_partitions(
    source: CsvSource,
    file_format: RatingsFileFormat,
    rules: CleaningRules,
    folder: Path,
    on_progress: Callable[[int], None] = _no_progress,
    *,
    first_user: int = 0,
    known_anime_ids: Int32Array = NO_ANIME_IDS,
) -> PartitionResult:
    """Read a file once, clean it, and write its partitions into ``folder``.

    Memory: a few blocks of rows while reading, then one partition a thread; what is in between
    lies in ``folder``. ``told`` is called with the rows read so far. Fans are numbered from
    ``first_fan``; anime that are ``known`` from other files are not rare.
    """
    (folder / RATINGS_FOLDER).mkdir()
    (folder / SORT_FOLDER).mkdir()
    spill, tally = ExternalSorter(folder / SORT_FOLDER), RowCounts.empty()
    for block in read_entry_blocks(source, file_format, UserIdMap(first_user), tally):
        spill.add(block)
        on_progress(tally.rows)
    spill.flush()
    digest = source.digest()
    dropped = DropCounts.empty()
    count = np.zeros(MAX_ANIME_ID + 1, np.int32)

    def clean_partition(number: int) -> tuple[RatingsPartition | None, DropCounts, Int32Array]:
        own = DropCounts.empty()
        kept = drop_outlier_users(
            drop_duplicate_entries(spill.pop_partition(number), own), rules, own
        )
        return _write_entries(folder, number, kept, digest), own, kept["anime"].copy()

    found = []
    for partition, own, anime in _map_in_threads(clean_partition, spill.partitions()):
        found += [partition] if partition else []
        dropped.add(own)
        np.add.at(count, anime, 1)
    (folder / SORT_FOLDER).rmdir()
    rare = count < rules.min_anime_entries
    rare[known_anime_ids] = False
    if (rare & (count > 0)).any():
        found = _drop_rare_items(folder, found, rare, rules, dropped)
        count[rare] = 0
    return PartitionResult(found, tally, dropped, int((count > 0).sum()))


def _drop_rare_items(
    folder: Path,
    partitions: list[RatingsPartition],
    rare: BoolArray,
    rules: CleaningRules,
    dropped: DropCounts,
) -> list[RatingsPartition]:
    def rewrite_partition(
        partition: RatingsPartition,
    ) -> tuple[RatingsPartition | None, DropCounts]:
        own = DropCounts.empty()
        columns = read_partition(folder, partition)
        kept = drop_rare_items(_to_entry_array(columns), rare, rules, own)
        if len(kept) == partition.rows:
            return partition, own
        (folder / partition.file).unlink()
        number = int(Path(partition.file).stem)
        return _write_entries(folder, number, kept, partition.source), own

    found = []
    for written, own in _map_in_threads(rewrite_partition, partitions):
        found += [written] if written else []
        dropped.add(own)
    return found


def _write_entries(
    folder: Path, number: int, entries: EntryArray, source: str
) -> RatingsPartition | None:
    if not len(entries):
        return None
    columns = EntryArrays(
        *(np.ascontiguousarray(entries[name]) for name in ("fan", "anime", "score", "status"))
    )
    return write_partition(folder, number, columns, source)


def _to_entry_array(columns: EntryArrays) -> EntryArray:
    entries = np.empty(len(columns), ENTRY_DTYPE)
    entries["fan"], entries["anime"] = columns.user_id, columns.anime_id
    entries["score"], entries["status"] = columns.rating, columns.status
    return entries


def _map_in_threads(work: Callable[..., T], items: Iterable[object]) -> Iterable[T]:
    """Results in the order of the items; numpy and pyarrow leave Python to other threads."""
    with ThreadPoolExecutor(available_cpus()) as pool:
        yield from pool.map(work, items)
