"""Whole lists of some users, drawn for the second stage of ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np
import polars as pl

from app.recommender.array_types import Int16Array, Int32Array, Int64Array, UInt8Array
from model_build.data.ratings import Ratings
from model_build.train.sufficient_statistics import EntriesOfUsers
from model_build.util.hashing import sample_by_hash

MAX_LISTS = 9_000
"""The trees learn little from more, and their first stages are trained on these alone."""


@dataclass(frozen=True, slots=True)
class ListSample:
    """Lists of the users ``user`` (k,), ascending numbers, delimited by ``indptr`` (k + 1,).

    ``anime_id``, ``rating``, ``status`` and ``collected`` are of their entries; of a rating half
    points round up, as in what `prepare` writes.
    """

    user: Int64Array
    indptr: Int64Array
    anime_id: Int32Array
    rating: UInt8Array
    status: UInt8Array
    collected: Int16Array

    @classmethod
    def of_entries(
        cls,
        entries: EntriesOfUsers,
        collected: Int16Array | None = None,
        max_lists: int = MAX_LISTS,
        min_entries: int = 0,
    ) -> Self:
        """Draw from the users of n entries; ``collected`` is (n,), the years of their lists.

        Whether a user is drawn of those with ``min_entries`` depends on its number.
        """
        able = np.bincount(entries.user, minlength=entries.n_users) >= min_entries
        drawn = sample_by_hash(entries.first_user + np.flatnonzero(able), max_lists)
        is_drawn = np.zeros(entries.n_users, bool)
        is_drawn[drawn - entries.first_user] = True
        rows = np.flatnonzero(is_drawn[entries.user])
        rows = rows[np.lexsort((entries.item[rows], entries.user[rows]))]
        length = np.bincount(entries.user[rows], minlength=entries.n_users)[is_drawn]
        return cls(
            drawn,
            np.concatenate([[0], np.cumsum(length)]),
            entries.anime_ids[entries.item[rows]],
            np.floor(entries.rating[rows] + 0.5).astype(np.uint8),
            entries.status[rows].astype(np.uint8),
            np.zeros(len(rows), np.int16) if collected is None else collected[rows],
        )

    @classmethod
    def draw(cls, samples: Sequence[ListSample], max_lists: int = MAX_LISTS) -> Self:
        """Draw from samples of different users, as `of_entries` would from all of them at once."""
        users = np.concatenate([each.user for each in samples])
        length = np.concatenate([np.diff(each.indptr) for each in samples])
        entries = (np.concatenate([astuple(each)[at] for each in samples]) for at in range(2, 6))
        is_drawn = np.isin(users, sample_by_hash(np.sort(users), max_lists))
        owner = np.repeat(np.arange(len(users)), length)
        rows = np.flatnonzero(is_drawn[owner])
        rows = rows[np.argsort(users[owner[rows]], kind="stable")]
        order = np.flatnonzero(is_drawn)[np.argsort(users[is_drawn])]
        return cls(
            users[order],
            np.concatenate([[0], np.cumsum(length[order])]),
            *(each[rows] for each in entries),
        )

    def to_ratings(self) -> Ratings:
        """Return the lists as ratings of users that are known by their numbers."""
        anime_ids, item = np.unique(self.anime_id, return_inverse=True)
        user = np.repeat(np.arange(len(self.user), dtype=np.int32), np.diff(self.indptr))
        return Ratings(
            user,
            item.astype(np.int32),
            self.rating.astype(np.float64),
            self.status.astype(np.int8),
            pl.Series(self.user),
            anime_ids.astype(np.int32),
            self.collected,
        )
