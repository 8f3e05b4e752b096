"""The users that an engine was trained on, without names, and what they loved.

Optional, in one of two ways: the arrays ``ENGINE_training_users_*`` have a row for each of them;
``ENGINE_user_centres_*`` have centres of clusters of at least `MIN_CENTRE_USERS` of them, and no
user. Users are alike by the cosine of their vectors; those of training were folded in from their
lists as a visitor is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from app.recommender.arrays import ArtifactReader
from app.recommender.artifact import ArtifactError

NEIGHBOUR_COUNT = 50
"""Users whose favourites are put together: fewer are chance, more are everybody."""
CENTRE_COUNT = 3
"""Centres that are put together where there are no users."""
MIN_CENTRE_USERS = 50
MIN_CENTRE_LOVERS = 5
"""Of a cluster's users so many must have loved what it tells."""
LOVED_MIN_SCORE = 8.0
MAX_LOVED_ITEMS = 50


@dataclass(frozen=True, slots=True)
class TrainingUsers:
    """Vectors and loved anime of f users, or of f clusters of users.

    ``embeddings`` (f, d) float32 has rows of length 1; what row k loved, best first, are the
    positions ``loved_items[indptr[k]:indptr[k + 1]]``, and ``lovers`` how many of its users loved
    each. ``user_count`` (f,) is how many users a row stands for, 1 where it is one. ``supporters``
    (n,) is how many of all users loved each anime.
    """

    embeddings: Float32Array
    indptr: Int64Array
    loved_items: Int32Array
    lovers: Int32Array
    user_count: Int32Array
    supporters: Int64Array

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, engine: str, n_items: int) -> Self | None:
        """Return those of an engine in a model of n anime; None if it has none.

        Raises
        ------
        ArtifactError
            The arrays do not fit.
        """
        for kind in ("training_users", "user_centres"):
            if f"{engine}_{kind}_embedding" in arrays:
                return cls._read(arrays, f"{engine}_{kind}", n_items, kind == "user_centres")
        return None

    @classmethod
    def _read(cls, arrays: ArtifactReader, name: str, n_items: int, clustered: bool) -> Self:
        loved_items = arrays.read_positions(f"{name}_indices", np.int32, n_items)
        indptr = arrays.read_offsets(f"{name}_indptr", None, len(loved_items))
        embeddings = arrays.read_table(f"{name}_embedding", len(indptr) - 1)
        lovers = np.ones(len(loved_items), np.int32)
        user_count = np.ones(len(embeddings), np.int32)
        if clustered:
            lovers = arrays.read_vector(f"{name}_lovers", np.int32, len(loved_items))
            user_count = arrays.read_vector(f"{name}_size", np.int32, len(embeddings))
            if (user_count < MIN_CENTRE_USERS).any() or (lovers < MIN_CENTRE_LOVERS).any():
                raise ArtifactError(
                    f"{arrays.array_path(f'{name}_size')}: a centre stands for at least "
                    f"{MIN_CENTRE_USERS} fans, and tells what {MIN_CENTRE_LOVERS} of them loved."
                )
        supporters = np.bincount(loved_items, weights=lovers, minlength=n_items).astype(np.int64)
        return cls(embeddings, indptr, loved_items, lovers, user_count, supporters)

    def __len__(self) -> int:
        """How many users there are, however they are kept."""
        return int(self.user_count.sum())

    @property
    def is_clustered(self) -> bool:
        """Whether rows are centres of clusters."""
        return bool((self.user_count > 1).any())

    def nearest_users(
        self, user_vector: Float64Array, count: int = NEIGHBOUR_COUNT
    ) -> tuple[Int64Array, Float64Array]:
        """Return the rows most like a user with this vector (d,), and their cosines, best first.

        They are ``count`` users, or the `CENTRE_COUNT` nearest centres.
        """
        length = float(np.linalg.norm(user_vector))
        if not length:
            return np.empty(0, np.int64), np.empty(0)
        similarity = (self.embeddings @ (user_vector / length).astype(np.float32)).astype(
            np.float64
        )
        best = np.argsort(-similarity, kind="stable")
        best = best[: CENTRE_COUNT if self.is_clustered else count]
        best = best[similarity[best] > 0]
        return best, similarity[best]

    def items_loved_by(self, row: int) -> Int32Array:
        """What a user, or the users of a cluster, loved, best first: positions (l,)."""
        return self.loved_items[self.indptr[row] : self.indptr[row + 1]]

    def lovers_in(self, row: int) -> Int32Array:
        """How many users of a row loved each of `items_loved_by`, (l,)."""
        return self.lovers[self.indptr[row] : self.indptr[row + 1]]
