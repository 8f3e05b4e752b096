"""Add a file of further fans to what was prepared; its partitions stay as they are."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from app.recommender.array_types import Int32Array
from model_build.data.dumps.external_sort import USERS_PER_PARTITION
from model_build.data.dumps.prepared import (
    CATALOGUE_FILE,
    REPORT_FILE,
    CleaningCount,
    PreparedDataset,
    RatingsPartition,
)
from model_build.util.errors import InputError


def check_same_cleaning(before: PreparedDataset, dataset: str, cleaning: dict[str, int]) -> None:
    """Raises InputError unless both come from the same kind of dump, cleaned alike."""
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
    """The number of the first fan to be added; it begins a partition."""
    last = max(partition.last_fan for partition in before.partitions)
    return (last // USERS_PER_PARTITION + 1) * USERS_PER_PARTITION


def partition_anime_ids(folder: Path, partitions: Sequence[RatingsPartition]) -> Int32Array:
    """The ids in some partitions, ascending."""
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


def merge_prepared_datasets(
    before: PreparedDataset, added: PreparedDataset, anime: int
) -> PreparedDataset:
    """What is in both together, ``anime`` of them."""
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
    """The report so far, and that of the new file."""
    return f"{(folder / REPORT_FILE).read_text('utf-8')}\nadded: {added}"


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
