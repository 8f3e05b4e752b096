"""The layout that `prepare` writes and training reads.

    prepared.json         where it came from, what was kept and dropped, what is in each partition
    report.txt            the same for people
    anime.parquet         catalogue facts, if the dump has any
    ratings/000000.parquet, ...

A partition holds whole users, sorted by user and anime: `user_id` (int32, numbered by Hakken),
`anime_id` (int32), `rating` (uint8, 0 for not scored), `status` (uint8). Partitions are ranges of
users, so sums over users are sums over partitions.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.recommender.array_types import BoolArray, Int32Array, Int64Array, UInt8Array
from app.recommender.atomic_writes import fsync_path, replace_directory
from model_build.data.config import CATALOGUE_FILE as CATALOGUE_FILE
from model_build.util.errors import InputError, first_error
from model_build.util.storage import read_bytes
from model_build.util.threads import map_ahead

PREPARED_FORMAT: Final = 1
INDEX_FILE = "prepared.json"
REPORT_FILE = "report.txt"
_ADDED = "\nadded: "
"""What parts the reports of the files in ``report.txt``."""
RATINGS_FOLDER = "ratings"
USERS_PER_PARTITION = 8192
PARTITION_SCHEMA = pa.schema(
    [
        ("user_id", pa.int32()),
        ("anime_id", pa.int32()),
        ("rating", pa.uint8()),
        ("status", pa.uint8()),
    ]
)
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
NonNegativeCount = Annotated[int, Field(ge=0)]


class StrictModel(BaseModel):
    """What a file of JSON holds: all of it is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceFileInfo(StrictModel):
    """A file that was read, as it lay there."""

    file: str
    bytes: NonNegativeCount
    sha256: Sha256
    rows: NonNegativeCount


class RatingsPartition(StrictModel):
    """A file of entries: users ``first_fan`` to ``last_fan``, ``fans`` of them.

    ``source`` is the sha256 of the file that the entries came from.
    """

    file: Annotated[str, Field(pattern=r"^ratings/[0-9]+\.parquet$")]
    rows: NonNegativeCount
    scored: NonNegativeCount
    fans: NonNegativeCount
    first_fan: NonNegativeCount
    last_fan: NonNegativeCount
    bytes: NonNegativeCount
    sha256: Sha256
    source: Sha256


class CleaningCount(StrictModel):
    """Entries that were dropped or repaired, and users that were dropped whole, for one reason."""

    why: str
    entries: NonNegativeCount
    fans: NonNegativeCount = 0


class PreparedDataset(StrictModel):
    """``prepared.json``."""

    format: Literal[1]
    dataset: str
    sources: list[SourceFileInfo]
    cleaning: dict[str, int]
    counts: dict[str, NonNegativeCount]
    dropped: list[CleaningCount]
    mended: list[CleaningCount]
    catalogue: str | None
    partitions: list[RatingsPartition]

    def fingerprint(self) -> str:
        """Return a sha256 of the sha256s of all partitions."""
        digests = "\n".join(partition.sha256 for partition in self.partitions)
        return hashlib.sha256(digests.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class EntryArrays:
    """Entries as arrays (n,): ``rating`` 1 to 10 or 0, ``status`` a `WatchStatus`."""

    user_id: Int32Array
    anime_id: Int32Array
    rating: UInt8Array
    status: UInt8Array

    def __len__(self) -> int:
        return len(self.user_id)

    def take(self, index: BoolArray | Int64Array) -> EntryArrays:
        """Return the entries at positions (p,), or where a mask (entries,) is set."""
        return EntryArrays(
            self.user_id[index], self.anime_id[index], self.rating[index], self.status[index]
        )


def is_prepared_dataset(folder: Path) -> bool:
    """Whether `prepare` wrote this folder."""
    return (folder / INDEX_FILE).is_file()


def open_prepared_dataset(folder: Path | str, name: str = INDEX_FILE) -> PreparedDataset:
    """Read and check ``prepared.json`` in a folder or below a gs:// URL."""
    file = f"{folder}/{name}"
    try:
        return PreparedDataset.model_validate_json(read_bytes(str(folder), name))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{file}: not found, so {folder} holds no prepared ratings.") from None
    except ValidationError as error:
        raise InputError(
            f"{file}: {first_error(error)}; run prepare again with this Hakken."
        ) from None


def write_partition(
    folder: Path, number: int, columns: EntryArrays, source: str
) -> RatingsPartition:
    """Write one partition into ``folder``; entries are sorted by user and anime."""
    name = f"{RATINGS_FOLDER}/{number:06}.parquet"
    arrays = (columns.user_id, columns.anime_id, columns.rating, columns.status)
    table = pa.Table.from_arrays([pa.array(array) for array in arrays], schema=PARTITION_SCHEMA)
    with (folder / name).open("wb") as file:
        pq.write_table(table, file, compression="zstd", compression_level=1)
    with (folder / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return RatingsPartition(
        file=name,
        rows=len(columns),
        scored=int((columns.rating > 0).sum()),
        fans=1 + int((np.diff(columns.user_id) != 0).sum()),
        first_fan=int(columns.user_id[0]),
        last_fan=int(columns.user_id[-1]),
        bytes=(folder / name).stat().st_size,
        sha256=digest,
        source=source,
    )


def read_partition(folder: Path | str, partition: RatingsPartition) -> EntryArrays:
    """Read one partition of a folder or a gs:// URL."""
    file = f"{folder}/{partition.file}"
    try:
        data = read_bytes(str(folder), partition.file)
    except FileNotFoundError:
        message = f"{file}: missing, but {INDEX_FILE} lists it; run prepare again."
        raise InputError(message) from None
    if hashlib.sha256(data).hexdigest() != partition.sha256:
        raise InputError(f"{file}: is not what {INDEX_FILE} says; run prepare again.")
    table = pq.read_table(pa.BufferReader(data))
    return EntryArrays(*(table.column(name).to_numpy() for name in PARTITION_SCHEMA.names))


def read_partitions(folder: Path, prepared: PreparedDataset, threads: int) -> Iterator[EntryArrays]:
    """Read all partitions in order, two a thread ahead of what is used."""
    read = partial(read_partition, folder)
    with ThreadPoolExecutor(threads) as pool:
        yield from map_ahead(pool, read, prepared.partitions, 2 * threads)


def check_same_cleaning(before: PreparedDataset, dataset: str, cleaning: dict[str, int]) -> None:
    """Raise InputError unless both come from the same kind of dump, cleaned alike."""
    if before.dataset != dataset:
        raise InputError(
            f"--dataset {dataset}: the folder holds {before.dataset}; choose another folder."
        )
    for name, kept in before.cleaning.items():
        if cleaning.get(name) != kept:
            option = name.replace("_", "-")
            raise InputError(
                f"--{option} {cleaning.get(name)}: the folder was prepared with {kept}; leave it "
                "so, or prepare all files anew."
            )


def next_user_id(before: PreparedDataset) -> int:
    """Return the number of the first user to be added; it begins a partition."""
    last = max(partition.last_fan for partition in before.partitions)
    return (last // USERS_PER_PARTITION + 1) * USERS_PER_PARTITION


def partition_anime_ids(folder: Path, partitions: Sequence[RatingsPartition]) -> Int32Array:
    """Return the anime ids (n,) in some partitions, ascending."""
    found = [np.empty(0, np.int32)]
    for partition in partitions:
        table = pq.read_table(folder / partition.file, columns=["anime_id"])
        found.append(np.unique(table.column("anime_id").to_numpy()))
    return np.unique(np.concatenate(found))


def link_existing_partitions(before: PreparedDataset, folder: Path, new: Path) -> None:
    """Put the partitions of ``folder`` beside the new ones, without writing them again."""
    for partition in before.partitions:
        _link_or_copy(folder / partition.file, new / partition.file)
    if before.catalogue is None:
        return
    if not (new / CATALOGUE_FILE).exists():
        _link_or_copy(folder / CATALOGUE_FILE, new / CATALOGUE_FILE)
        return
    facts, old = pl.read_parquet(new / CATALOGUE_FILE), pl.read_parquet(folder / CATALOGUE_FILE)
    others = old.filter(~pl.col("anime_id").is_in(facts["anime_id"].to_list()))
    pl.concat([facts, others]).sort("anime_id").write_parquet(new / CATALOGUE_FILE)


def restore_prepared_dataset(
    folder: Path, now: PreparedDataset, then: PreparedDataset, source: str
) -> PreparedDataset:
    """Take out of a folder what was added since its index was ``then``; returns what it now is.

    Nothing is done where that is the file ``source`` (a sha256) alone, or nothing.
    """
    known = [each.sha256 for each in then.sources]
    if [each.sha256 for each in now.sources] in (known, [*known, source]):
        return now
    if any(partition not in now.partitions for partition in then.partitions):
        raise InputError(
            f"--add-to: {folder} does not hold what this index names; prepare all files anew."
        )
    with replace_directory(folder) as new:
        (new / RATINGS_FOLDER).mkdir()
        link_existing_partitions(then, folder, new)
        reports = (folder / REPORT_FILE).read_text("utf-8").split(_ADDED)
        write_index(new, then, _ADDED.join(reports[: len(known)]))
    return then


def write_index(folder: Path, prepared: PreparedDataset, report: str) -> None:
    """Write what is said about the partitions in a new folder, and have all of it on disk."""
    (folder / REPORT_FILE).write_text(report, "utf-8")
    (folder / INDEX_FILE).write_text(prepared.model_dump_json(indent=2) + "\n", "utf-8")
    for file in folder.rglob("*"):
        fsync_path(file)


def merge_prepared_datasets(
    before: PreparedDataset, added: PreparedDataset, anime: int
) -> PreparedDataset:
    """Add the index of the added partitions; ``anime`` are in both together."""
    counts = {name: before.counts[name] + added.counts[name] for name in before.counts}
    return before.model_copy(
        update={
            "sources": [*before.sources, *added.sources],
            "counts": {**counts, "anime": anime},
            "dropped": _sum_cleaning_counts(before.dropped, added.dropped),
            "mended": _sum_cleaning_counts(before.mended, added.mended),
            "catalogue": added.catalogue or before.catalogue,
            "partitions": [*before.partitions, *added.partitions],
        }
    )


def merge_reports(folder: Path, added: str) -> str:
    """Append the report of the added file to that of the folder."""
    return f"{(folder / REPORT_FILE).read_text('utf-8')}{_ADDED}{added}"


def _sum_cleaning_counts(*parts: Sequence[CleaningCount]) -> list[CleaningCount]:
    entries: Counter[str] = Counter()
    fans: Counter[str] = Counter()
    for loss in (loss for losses in parts for loss in losses):
        entries[loss.why] += loss.entries
        fans[loss.why] += loss.fans
    return [CleaningCount(why=why, entries=count, fans=fans[why]) for why, count in entries.items()]


def _link_or_copy(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # a file system without hard links
        shutil.copyfile(old, new)


def render_preparation_report(prepared: PreparedDataset, published: int | None) -> str:
    """Return the text of ``report.txt``."""
    (source,) = prepared.sources
    lines = [f"{prepared.dataset}: {source.file}, {source.rows:,} rows"]
    if published is not None and source.rows != published:
        lines.append(f"  (the file published on Kaggle has {published:,})")
    counts = prepared.counts
    lines += [
        "",
        f"kept: {counts['entries']:,} entries of {counts['fans']:,} fans "
        f"and {counts['anime']:,} anime, {counts['ratings']:,} of them scored",
        "",
        *_text_table("dropped", prepared.dropped),
    ]
    if prepared.mended:
        lines += ["", *_text_table("mended", prepared.mended)]
    return "\n".join([*lines, ""])


def _text_table(title: str, losses: list[CleaningCount]) -> list[str]:
    rows = [(loss.why, f"{loss.entries:,}", f"{loss.fans:,}") for loss in losses]
    rows = [(title, "entries", "fans"), *(rows or [("nothing", "0", "0")])]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{why:<{widths[0]}}  {entries:>{widths[1]}}  {fans:>{widths[2]}}"
        for why, entries, fans in rows
    ]
