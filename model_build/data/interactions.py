"""Implicit feedback: list entries and favourites, of ratings files and what `collect` wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from app.recommender.array_types import BoolArray
from model_build.data.ratings import Ratings, index_ratings, read_ratings, read_ratings_frame
from model_build.util.errors import InputError

FAVOURITE_COLUMN = "favourite"


@dataclass(frozen=True, slots=True)
class Interactions:
    """List entries, and which of them (entries,) bool are favourites of their users."""

    entries: Ratings
    favourite: BoolArray

    @classmethod
    def from_ratings(cls, ratings: Ratings) -> Interactions:
        """Entries without favourites."""
        return cls(ratings, np.zeros(len(ratings), bool))

    def __len__(self) -> int:
        return len(self.entries)


def read_interactions(
    ratings: Sequence[Path] = (), interactions: Sequence[Path] = ()
) -> Interactions:
    """Read files of ``user_id, anime_id, rating[, status]``; ``interactions`` have a ``favourite``.

    A user id means the same user in all of them. Scores are not needed.

    Raises
    ------
    InputError
        A file is missing, empty or malformed, or a user lists the same anime twice.
    """
    if not interactions:
        return Interactions.from_ratings(read_ratings(ratings))
    frame = read_ratings_frame([*ratings, *interactions])
    of_interactions = np.concatenate([_read_favourites(path) for path in interactions])
    favourite = np.zeros(len(frame), bool)
    favourite[len(frame) - len(of_interactions) :] = of_interactions
    return Interactions(index_ratings(frame), favourite)


def _read_favourites(path: Path) -> BoolArray:
    if path.suffix.lower() not in {".parquet", ".pq"}:
        raise InputError(f"{path}: expected interactions as `collect` writes them, in Parquet.")
    columns = pl.scan_parquet(path, glob=False).collect_schema()
    if columns.get(FAVOURITE_COLUMN) != pl.Boolean:
        raise InputError(
            f"{path}: expected a column {FAVOURITE_COLUMN} of true and false, as `collect` writes "
            "it; name a file without one with --ratings."
        )
    return (
        pl.read_parquet(path, columns=[FAVOURITE_COLUMN], glob=False)[FAVOURITE_COLUMN]
        .fill_null(False)
        .to_numpy()
    )
