"""Hiding a fifth of what every fan did, and some fans altogether.

What is left of the others is what is trained on; anime that nobody is left with are taken out, for
no ranking could find them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from app.recommender.array_types import BoolArray, Float32Array, Int32Array, Int64Array
from model_build.data.interactions import Interactions
from model_build.util.errors import InputError

HIDDEN_SHARE = 0.2
MIN_INTERACTIONS = 2
"""Interactions of which one can be hidden and one seen."""
NEW_USER_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class MaskedUsers:
    """Fans that are measured on, a row each.

    ``visible`` and ``hidden`` are (fans, anime) bool; ``rows`` are the places of the visible
    interactions among all, in the order of ``visible``.
    """

    visible: csr_matrix
    hidden: csr_matrix
    visible_rows: Int64Array

    def __len__(self) -> int:
        return int(self.visible.shape[0])


@dataclass(frozen=True, slots=True)
class MaskedInteractions:
    """Interactions split for one measurement.

    ``known`` are the fans trained on, on what is visible of them; ``new`` are kept from training.
    ``anime_id`` (n,) ascending are the columns. ``lost`` hidden interactions are of other anime.
    """

    interactions: Interactions
    anime_id: Int32Array
    known_users: MaskedUsers
    new_users: MaskedUsers
    n_unrankable: int

    @property
    def item_counts(self) -> Float32Array:
        """How many fans trained on have each anime, (n,)."""
        return np.asarray(self.known_users.visible.sum(axis=0), np.float32).ravel()


def mask_interactions(
    interactions: Interactions, *, seed: int, new_user_share: float = NEW_USER_SHARE
) -> MaskedInteractions:
    """Hide a fifth of every fan's interactions; a share ``held`` of the fans is not trained on.

    The same seed hides the same.

    Raises:
        InputError: there are too few fans.
    """
    entries = interactions.entries
    rng = np.random.default_rng(seed)
    fans = len(entries.user_ids)
    count = np.bincount(entries.user, minlength=fans)
    eligible = np.flatnonzero(count >= MIN_INTERACTIONS)
    new = round(new_user_share * len(eligible))
    if not 0 < new < len(eligible):
        raise InputError(
            f"{fans} fans, of whom {len(eligible)} did {MIN_INTERACTIONS} things or more, are too few to keep "
            "some from training."
        )
    is_new = np.zeros(fans, bool)
    is_new[rng.choice(eligible, new, replace=False)] = True
    hidden = _sample_hidden(entries.user, count, rng)
    seen = np.unique(entries.item[~hidden & ~is_new[entries.user]])
    column = np.full(len(entries.anime_ids), -1, np.int64)
    column[seen] = np.arange(len(seen))
    there = column[entries.item] >= 0

    def side(fans_of_side: BoolArray) -> MaskedUsers:
        row = np.cumsum(fans_of_side) - 1
        of_side = fans_of_side[entries.user] & there
        at = np.flatnonzero(of_side & ~hidden)
        at = at[np.lexsort((entries.item[at], entries.user[at]))]
        shape = (int(fans_of_side.sum()), len(seen))

        def matrix(places: Int64Array) -> csr_matrix:
            where = (row[entries.user[places]], column[entries.item[places]])
            found = csr_matrix((np.ones(len(places), np.bool_), where), shape=shape)
            found.sort_indices()
            return found

        return MaskedUsers(matrix(at), matrix(np.flatnonzero(of_side & hidden)), at)

    return MaskedInteractions(
        interactions,
        entries.anime_ids[seen],
        side(~is_new),
        side(is_new),
        int((hidden & ~there).sum()),
    )


def _sample_hidden(user: Int32Array, count: Int64Array, rng: np.random.Generator) -> BoolArray:
    """A fifth of every fan's rows, at least one where there are two."""
    order = rng.permutation(len(user))
    order = order[np.argsort(user[order], kind="stable")]
    first = np.cumsum(count) - count
    place = np.arange(len(user)) - first[user[order]]
    many = np.where(count >= MIN_INTERACTIONS, np.maximum(1, np.rint(HIDDEN_SHARE * count)), 0)
    hidden = np.zeros(len(user), bool)
    hidden[order] = place < many[user[order]]
    return hidden
