"""What of a dump is kept: rules that those who use these dumps apply, in a fixed order.

Each rule is applied once: repeated entries, then fans, then anime by the entries of the fans that
are left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from app.recommender.array_types import BoolArray, Int32Array
from model_build.data.dumps.csv_entries import (
    MAX_ANIME_ID,
    EntryBlock,
    RowCounts,
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
from model_build.util.errors import InputError
from model_build.util.threads import available_cpus

ANIME_BITS, POSITION_BITS = 24, 27
"""Of the 64 bits by which entries are sorted; the other 13 number the fans of a partition."""


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """The rules; 0 turns one off.

    A fan needs ``min_fan_entries`` entries and an anime ``min_anime_entries``, scored or not. Who
    scored more than ``max_fan_scores`` is taken for a bot, and who gave ``same_score`` or more
    scores that are all the same says nothing by them.
    """

    min_fan_entries: int = 5
    max_fan_scores: int = 5000
    same_score: int = 100
    min_anime_entries: int = 5


@dataclass(slots=True)
class DropCounts:
    """Entries and fans dropped, by reason."""

    entries: Counter[str]
    users: Counter[str]

    @classmethod
    def empty(cls) -> DropCounts:
        return cls(Counter(), Counter())

    def add(self, other: DropCounts) -> None:
        self.entries.update(other.entries)
        self.users.update(other.users)


def drop_duplicate_entries(entries: EntryArray, dropped: DropCounts) -> EntryArray:
    """Sorted by fan and anime; of entries for the same anime the last in the file counts.

    Raises:
        InputError: a range of fans has more entries than can be numbered.
    """
    if len(entries) >> POSITION_BITS:
        raise InputError(f"{len(entries):,} entries of a few thousand fans are no lists.")
    base = int(entries["fan"].min()) if len(entries) else 0
    key = (entries["fan"] - base).astype(np.uint64) << np.uint64(ANIME_BITS)
    key = (key | entries["anime"].astype(np.uint64)) << np.uint64(POSITION_BITS)
    key |= np.arange(len(entries), dtype=np.uint64)
    key.sort()
    pair = key >> np.uint64(POSITION_BITS)
    last = np.ones(len(entries), bool)
    last[:-1] = pair[1:] != pair[:-1]
    place = (key[last] & np.uint64((1 << POSITION_BITS) - 1)).astype(np.int64)
    dropped.entries["the same anime again; the last entry counts"] += len(entries) - len(place)
    return entries[place]


def drop_outlier_users(
    entries: EntryArray, rules: CleaningRules, dropped: DropCounts
) -> EntryArray:
    """Drop whole fans; ``entries`` are sorted by fan."""
    if not len(entries):
        return entries
    start = np.flatnonzero(np.concatenate([[True], np.diff(entries["fan"]) != 0]))
    size = np.diff(np.append(start, len(entries)))
    score = entries["score"].astype(np.int64)
    scored = np.add.reduceat((score > 0).astype(np.int64), start)
    highest = np.maximum.reduceat(score, start)
    lowest = np.minimum.reduceat(np.where(score > 0, score, 11), start)
    keep = np.ones(len(start), bool)

    def drop(why: str, wrong: BoolArray) -> None:
        wrong = wrong & keep
        dropped.users[why] += int(wrong.sum())
        dropped.entries[why] += int(size[wrong].sum())
        keep[wrong] = False

    drop(f"fans with fewer than {rules.min_fan_entries} entries", size < rules.min_fan_entries)
    if rules.max_fan_scores:
        drop(
            f"fans who scored more than {rules.max_fan_scores} anime", scored > rules.max_fan_scores
        )
    if rules.same_score:
        drop(
            f"fans who gave {rules.same_score} or more scores, all the same",
            (scored >= rules.same_score) & (highest == lowest),
        )
    kept: EntryArray = entries[np.repeat(keep, size)]
    return kept


def drop_rare_items(
    entries: EntryArray, rare: BoolArray, rules: CleaningRules, dropped: DropCounts
) -> EntryArray:
    """Drop the entries of anime marked in ``rare`` (by id), and fans who then have none."""
    wrong = rare[entries["anime"]]
    if not wrong.any():
        return entries
    kept: EntryArray = entries[~wrong]
    why = f"anime with fewer than {rules.min_anime_entries} entries"
    dropped.entries[why] += int(wrong.sum())
    dropped.users[why] += len(np.unique(entries["fan"])) - len(np.unique(kept["fan"]))
    return kept


BUFFERED_ENTRIES = 2_000_000
ENTRY_DTYPE = np.dtype([("fan", "<i4"), ("anime", "<i4"), ("score", "u1"), ("status", "u1")])

EntryArray = npt.NDArray[np.void]
"""Of dtype `ENTRY`."""


class ExternalSorter:
    """Files in ``folder``, one for each range of `PARTITION_FANS` fans, entries in their order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buffer: list[EntryArray] = []
        self._count = 0
        self._partitions: set[int] = set()

    def add(self, block: EntryBlock) -> None:
        """Take entries; they are on disk after `flush` at the latest."""
        entries = np.empty(len(block.user), ENTRY_DTYPE)
        entries["fan"], entries["anime"] = block.user, block.anime
        entries["score"], entries["status"] = block.score, block.status
        self._buffer.append(entries)
        self._count += len(entries)
        if self._count >= BUFFERED_ENTRIES:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._count:
            return
        entries = np.concatenate(self._buffer)
        self._buffer, self._count = [], 0
        partition = entries["fan"] // USERS_PER_PARTITION
        if (partition[1:] < partition[:-1]).any():
            order = np.argsort(partition, kind="stable")
            entries, partition = entries[order], partition[order]
        heads = np.flatnonzero(np.concatenate([[True], partition[1:] != partition[:-1]]))
        for first, last in zip(heads, [*heads[1:], len(entries)], strict=True):
            number = int(partition[first])
            self._partitions.add(number)
            with self._partition_file(number).open("ab") as file:
                file.write(entries[first:last].data)

    def partitions(self) -> Iterator[int]:
        """The numbers of the ranges that hold entries, ascending."""
        return iter(sorted(self._partitions))

    def pop_partition(self, partition: int) -> EntryArray:
        """Read the entries of one range, in the order in which they came, and remove its file."""
        file = self._partition_file(partition)
        entries = np.fromfile(file, ENTRY_DTYPE)
        file.unlink()
        return entries

    def _partition_file(self, partition: int) -> Path:
        return self._folder / f"{partition:06}"


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
