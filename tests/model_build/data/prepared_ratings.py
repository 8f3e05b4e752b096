"""Small folders as `prepare` writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from model_build.data.dumps.prepared import (
    INDEX_FILE,
    PREPARED_FORMAT,
    RATINGS_FOLDER,
    EntryArrays,
    PreparedDataset,
    RatingsPartition,
    SourceFileInfo,
    write_partition,
)


def write_prepared(folder: Path, frame: pl.DataFrame, partitions: int) -> PreparedDataset:
    """Write whole scores of ``worlds.random_frame`` as so many partitions."""
    (folder / RATINGS_FOLDER).mkdir(parents=True)
    fans = np.array_split(frame["user_id"].unique().sort().to_numpy(), partitions)
    written = [
        partition_of(folder, number, frame.filter(pl.col("user_id").is_in(own.tolist())))
        for number, own in enumerate(fans)
    ]
    prepared = PreparedDataset(
        format=PREPARED_FORMAT,
        dataset="made-up",
        sources=[SourceFileInfo(file="made-up.csv", bytes=0, sha256="0" * 64, rows=len(frame))],
        cleaning={},
        counts={},
        dropped=[],
        mended=[],
        catalogue=None,
        partitions=written,
    )
    (folder / INDEX_FILE).write_text(prepared.model_dump_json(), "utf-8")
    return prepared


def partition_of(folder: Path, number: int, frame: pl.DataFrame) -> RatingsPartition:
    """Write the entries of some fans as one partition."""
    rows = frame.sort("user_id", "anime_id")
    columns = EntryArrays(
        rows["user_id"].cast(pl.Int32).to_numpy(),
        rows["anime_id"].cast(pl.Int32).to_numpy(),
        rows["rating"].cast(pl.UInt8).to_numpy(),
        rows["status"].cast(pl.UInt8).to_numpy(),
    )
    return write_partition(folder, number, columns, "0" * 64)


def write_catalogue(file: Path, anime: list[int], new: int) -> Path:
    """Facts about anime, and about so many that are too new for ratings."""
    ids = [*anime, *range(max(anime) + 1, max(anime) + 1 + new)]
    pl.DataFrame(
        {
            "anime_id": ids,
            "title": [f"Anime {number}" for number in ids],
            "type": ["TV", "Movie"] * (len(ids) // 2) + ["TV"] * (len(ids) % 2),
            "genres": [("Action;Drama", "Drama", "Comedy")[number % 3] for number in ids],
            "year": [2010] * len(anime) + [2026] * new,
        }
    ).write_parquet(file)
    return file


def rounding(name: str, array: npt.NDArray[np.generic]) -> float:
    """How far an array may be off: a step of 16 bits, where LAPACK's threads tip the rounding."""
    return 1.0 if name.endswith("_data") and array.dtype.kind in "iu" else 1e-9
