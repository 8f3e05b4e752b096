"""Interactions masked to measure rankings that know no scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from app.recommender.array_types import BoolArray, Float32Array, Int32Array, Int64Array
from model_build.data.holdout import sample_per_user
from model_build.data.interactions import Interactions
from model_build.util.errors import InputError

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
