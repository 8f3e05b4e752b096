"""From a dump's file to partitions of cleaned entries; the steps of `prepare`, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from model_build.dumps.cleaning import (
    Cleaning,
    Dropped,
    without_odd_fans,
    without_rare_anime,
    without_repeats,
)
from model_build.dumps.formats import Lists
from model_build.dumps.numbering import FanNumbers
from model_build.dumps.prepared import (
    RATINGS,
    Columns,
    Partition,
    read_partition,
    write_partition,
)
from model_build.dumps.rows import MOST_ANIME_ID, Tally, read_blocks
from model_build.dumps.source import Source
from model_build.dumps.spill import ENTRY, Entries, Spill
from model_build.parallel import available_threads

T = TypeVar("T")
SPILL = "spill"
NO_ANIME = np.empty(0, np.int32)


def _silent(_rows: int) -> None:
    """For who need not be told."""


@dataclass(frozen=True, slots=True)
class Result:
    """The partitions of one file, what was read of it, and what was dropped."""

    partitions: list[Partition]
    tally: Tally
    dropped: Dropped
    anime: int


def write_partitions(
    source: Source,
    lists: Lists,
    rules: Cleaning,
    folder: Path,
    told: Callable[[int], None] = _silent,
    *,
    first_fan: int = 0,
    known: npt.NDArray[np.int32] = NO_ANIME,
) -> Result:
    """Read a file once, clean it, and write its partitions into ``folder``.

    Memory: a few blocks of rows while reading, then one partition a thread; what is in between
    lies in ``folder``. ``told`` is called with the rows read so far. Fans are numbered from
    ``first_fan``; anime that are ``known`` from other files are not rare.
    """
    (folder / RATINGS).mkdir()
    (folder / SPILL).mkdir()
    spill, tally = Spill(folder / SPILL), Tally.empty()
    for block in read_blocks(source, lists, FanNumbers(first_fan), tally):
        spill.add(block)
        told(tally.rows)
    spill.flush()
    digest = source.digest()
    dropped = Dropped.empty()
    count = np.zeros(MOST_ANIME_ID + 1, np.int32)

    def fans_of(number: int) -> tuple[Partition | None, Dropped, npt.NDArray[np.int32]]:
        own = Dropped.empty()
        kept = without_odd_fans(without_repeats(spill.take(number), own), rules, own)
        return _write(folder, number, kept, digest), own, kept["anime"].copy()

    found = []
    for partition, own, anime in _in_threads(fans_of, spill.partitions()):
        found += [partition] if partition else []
        dropped.add(own)
        np.add.at(count, anime, 1)
    (folder / SPILL).rmdir()
    rare = count < rules.min_anime_entries
    rare[known] = False
    if (rare & (count > 0)).any():
        found = _without_rare(folder, found, rare, rules, dropped)
        count[rare] = 0
    return Result(found, tally, dropped, int((count > 0).sum()))


def _without_rare(
    folder: Path,
    partitions: list[Partition],
    rare: npt.NDArray[np.bool_],
    rules: Cleaning,
    dropped: Dropped,
) -> list[Partition]:
    def anime_of(partition: Partition) -> tuple[Partition | None, Dropped]:
        own = Dropped.empty()
        columns = read_partition(folder, partition)
        kept = without_rare_anime(_entries(columns), rare, rules, own)
        if len(kept) == partition.rows:
            return partition, own
        (folder / partition.file).unlink()
        number = int(Path(partition.file).stem)
        return _write(folder, number, kept, partition.source), own

    found = []
    for written, own in _in_threads(anime_of, partitions):
        found += [written] if written else []
        dropped.add(own)
    return found


def _write(folder: Path, number: int, entries: Entries, source: str) -> Partition | None:
    if not len(entries):
        return None
    columns = Columns(
        *(np.ascontiguousarray(entries[name]) for name in ("fan", "anime", "score", "status"))
    )
    return write_partition(folder, number, columns, source)


def _entries(columns: Columns) -> Entries:
    entries = np.empty(len(columns), ENTRY)
    entries["fan"], entries["anime"] = columns.user_id, columns.anime_id
    entries["score"], entries["status"] = columns.rating, columns.status
    return entries


def _in_threads(work: Callable[..., T], items: Iterable[object]) -> Iterable[T]:
    """Results in the order of the items; numpy and pyarrow leave Python to other threads."""
    with ThreadPoolExecutor(available_threads()) as pool:
        yield from pool.map(work, items)
