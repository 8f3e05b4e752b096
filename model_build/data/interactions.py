"""Implicit feedback: list entries and what users did about them, as `collect` wrote it.

Some are masked to measure rankings that know no scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

from app.recommender import UserList
from app.recommender.array_types import BoolArray, Float32Array, Int32Array, Int64Array
from app.recommender.arrays import find_positions
from app.recommender.user_list import EntryActivity, KnownEntries
from model_build.data.dumps.prepared import is_prepared_dataset
from model_build.data.holdout import sample_per_user
from model_build.data.ratings import Ratings, index_ratings, read_ratings, read_ratings_frame
from model_build.util.errors import InputError

FAVOURITE_COLUMN = "favourite"
ACTIVITY_COLUMNS = {
    FAVOURITE_COLUMN: pl.Boolean(),
    "commented": pl.Boolean(),
    "reviewed": pl.Boolean(),
    "minutes": pl.Float64(),
}
"""What of `collect`'s columns interactions are made of; only the first is needed."""
MINUTES_PER_HOUR = 60.0
MAX_MINUTES = 2.0**31


@dataclass(frozen=True, slots=True)
class Interactions:
    """List entries, which of them (entries,) bool are favourites, and what else was done."""

    entries: Ratings
    favourite: BoolArray
    activity: EntryActivity

    @classmethod
    def from_ratings(cls, ratings: Ratings) -> Interactions:
        """Entries without favourites."""
        return cls(ratings, np.zeros(len(ratings), bool), EntryActivity.none(len(ratings)))

    def __len__(self) -> int:
        return len(self.entries)

    def user_list(self, rows: Int64Array) -> UserList:
        """Return entries at rows (r,), of one user, as the recommender takes them."""
        entries = self.entries
        return UserList(
            entries.anime_ids[entries.item[rows]].astype(np.int64),
            entries.rating[rows],
            entries.status[rows],
            self.favourite[rows],
            self.activity.select(rows),
        )


def known_entries(listed: UserList, anime_ids: Int32Array) -> KnownEntries:
    """Return the entries of a list that are among ascending ``anime_ids`` (n,)."""
    at = find_positions(anime_ids, listed.anime_id)
    order = np.argsort(at, kind="stable")
    order = order[at[order] >= 0]
    favourite = np.zeros(len(at), bool) if listed.favourite is None else listed.favourite
    return KnownEntries(
        at[order],
        listed.score[order],
        listed.status[order],
        favourite[order],
        None if listed.activity is None else listed.activity.select(order),
    )


def read_interactions(
    ratings: Sequence[Path] = (), interactions: Sequence[Path] = ()
) -> Interactions:
    """Read files of ``user_id, anime_id, rating[, status]``; ``interactions`` have a ``favourite``.

    These may also have ``commented``, ``reviewed`` and ``minutes``, as `collect` writes them. A
    user id means the same user in all of them. Scores are not needed.
    """
    # Users of prepared ratings have numbers that mean nobody elsewhere, so these are read alone.
    if not interactions or any(map(is_prepared_dataset, ratings)):
        return Interactions.from_ratings(read_ratings([*ratings, *interactions]))
    frame = read_ratings_frame([*ratings, *interactions])
    parts = [_read_activity(path) for path in interactions]
    start = len(frame) - sum(len(part) for part in parts)
    told = pl.concat([_no_activity(start), *parts])
    activity = EntryActivity(
        told["commented"].to_numpy(),
        told["reviewed"].to_numpy(),
        told["minutes"].to_numpy() / MINUTES_PER_HOUR,
    )
    return Interactions(index_ratings(frame), told[FAVOURITE_COLUMN].to_numpy(), activity)


def _no_activity(rows: int) -> pl.DataFrame:
    """As many rows of nothing done."""
    return pl.select(
        pl.repeat(0, rows).cast(kind).alias(name) for name, kind in ACTIVITY_COLUMNS.items()
    )


def _read_activity(path: Path) -> pl.DataFrame:
    """Read what was done about each entry of a file; what is missing was not done."""
    if path.suffix.lower() not in {".parquet", ".pq"}:
        raise InputError(f"{path}: expected interactions as `collect` writes them, in Parquet.")
    columns = pl.scan_parquet(path, glob=False).collect_schema()
    if columns.get(FAVOURITE_COLUMN) != pl.Boolean:
        raise InputError(
            f"{path}: expected a column {FAVOURITE_COLUMN} of true and false, as `collect` writes "
            "it; name a file without one with --ratings."
        )
    there = [name for name in ACTIVITY_COLUMNS if name in columns]
    for name in there:
        wanted = columns[name].is_numeric() if name == "minutes" else columns[name] == pl.Boolean
        if not wanted:
            what = "numbers" if name == "minutes" else "true and false"
            raise InputError(f"{path}: expected a column {name} of {what}, as `collect` writes it.")
    frame = pl.read_parquet(path, columns=there, glob=False)
    found = _no_activity(len(frame)).with_columns(
        frame[name].cast(kind).fill_null(strategy="zero")
        if kind.is_numeric()
        else frame[name].fill_null(value=False)
        for name, kind in ACTIVITY_COLUMNS.items()
        if name in there
    )
    wrong = found.filter(~pl.col("minutes").is_between(0, MAX_MINUTES))
    if len(wrong):
        raise InputError(f"{path}: minutes is {wrong['minutes'][0]:g}; expected 0 or more.")
    return found


MIN_INTERACTIONS = 2
"""Interactions of which one can be hidden and one seen."""
NEW_USER_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class MaskedUsers:
    """Users to measure on, a row each.

    ``visible`` and ``hidden`` are (users, anime) bool; ``visible_rows`` (visible.nnz,) are the
    visible interactions among all, in the order of ``visible.indices``.
    """

    visible: csr_matrix
    hidden: csr_matrix
    visible_rows: Int64Array

    def __len__(self) -> int:
        return int(self.visible.shape[0])

    def rows_of(self, user: int) -> Int64Array:
        """Return the visible interactions of one user, rows (r,)."""
        return self.visible_rows[self.visible.indptr[user] : self.visible.indptr[user + 1]]

    def select(self, users: Int64Array) -> MaskedUsers:
        """Select the users at ``rows`` (r,)."""
        rows = np.concatenate([self.rows_of(user) for user in users.tolist()])
        return MaskedUsers(self.visible[users], self.hidden[users], rows)


@dataclass(frozen=True, slots=True)
class MaskedInteractions:
    """Interactions split for one measurement.

    ``known_users`` are trained on, on what is visible of them; ``new_users`` are not. ``anime_id``
    (n,) ascending are the columns: anime that somebody trained on has, since no ranking can find
    another. ``n_unrankable`` hidden interactions are of others.
    """

    interactions: Interactions
    anime_id: Int32Array
    known_users: MaskedUsers
    new_users: MaskedUsers
    n_unrankable: int

    @property
    def item_counts(self) -> Float32Array:
        """How many users trained on have each anime, (n,)."""
        return np.asarray(self.known_users.visible.sum(axis=0), np.float32).ravel()


def mask_interactions(
    interactions: Interactions, *, seed: int, new_user_share: float = NEW_USER_SHARE
) -> MaskedInteractions:
    """Hide a fifth of every user's interactions; ``new_user_share`` of the users is not trained on.

    Raises
    ------
    InputError
        There are too few users.
    """
    entries = interactions.entries
    rng = np.random.default_rng(seed)
    n_users = len(entries.user_ids)
    count = np.bincount(entries.user, minlength=n_users)
    eligible = np.flatnonzero(count >= MIN_INTERACTIONS)
    n_new = round(new_user_share * len(eligible))
    if not 0 < n_new < len(eligible):
        raise InputError(
            f"{n_users} fans, of whom {len(eligible)} did {MIN_INTERACTIONS} things or more, are "
            "too few to keep some from training."
        )
    is_new = np.zeros(n_users, bool)
    is_new[rng.choice(eligible, n_new, replace=False)] = True
    hidden = sample_per_user(entries.user, np.arange(len(entries)), count, rng, MIN_INTERACTIONS)
    trained = np.unique(entries.item[~hidden & ~is_new[entries.user]])
    column = np.full(len(entries.anime_ids), -1, np.int64)
    column[trained] = np.arange(len(trained))
    rankable = column[entries.item] >= 0

    def masked_users(is_chosen: BoolArray) -> MaskedUsers:
        row = np.cumsum(is_chosen) - 1
        chosen = is_chosen[entries.user] & rankable
        visible_rows = np.flatnonzero(chosen & ~hidden)
        order = np.lexsort((entries.item[visible_rows], entries.user[visible_rows]))
        visible_rows = visible_rows[order]
        shape = (int(is_chosen.sum()), len(trained))

        def matrix(rows: Int64Array) -> csr_matrix:
            at = (row[entries.user[rows]], column[entries.item[rows]])
            found = csr_matrix((np.ones(len(rows), np.bool_), at), shape=shape)
            found.sort_indices()
            return found

        hidden_rows = np.flatnonzero(chosen & hidden)
        return MaskedUsers(matrix(visible_rows), matrix(hidden_rows), visible_rows)

    return MaskedInteractions(
        interactions,
        entries.anime_ids[trained],
        masked_users(~is_new),
        masked_users(is_new),
        int((hidden & ~rankable).sum()),
    )
