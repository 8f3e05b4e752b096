"""The users that an engine was trained on, as nameless vectors, and what they loved.

Optional: a model without arrays ``ENGINE_training_users_*`` has none. Users are alike by the cosine
of their vectors; those of training were folded in from their lists as a visitor is.
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
LOVED_MIN_SCORE = 8.0
MAX_LOVED_ITEMS = 50


@dataclass(frozen=True, slots=True)
class TrainingUsers:
    """Vectors and loved anime of f users.

    ``embeddings`` (f, d) float32 has rows of length 1; what user k loved, best first, are the
    positions ``loved_items[indptr[k]:indptr[k + 1]]``. ``supporters`` (n,) is how many of the users
    loved each anime.
    """

    embeddings: Float32Array
    indptr: Int64Array
    loved_items: Int32Array
    supporters: Int64Array

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, engine: str, n_items: int) -> Self | None:
        """Return those of an engine in a model of n anime; None if it has none.

        Raises
        ------
        ArtifactError
            The arrays do not fit.
        """
        if f"{engine}_training_users_embedding" not in arrays:
            return None
        indptr = arrays.read_vector(f"{engine}_training_users_indptr", np.int64)
        embeddings = arrays.read_table(f"{engine}_training_users_embedding", len(indptr) - 1)
        loved_items = arrays.read_vector(f"{engine}_training_users_indices", np.int32)
        if indptr[0] != 0 or (np.diff(indptr) < 0).any() or indptr[-1] != len(loved_items):
            file = arrays.array_path(f"{engine}_training_users_indptr")
            raise ArtifactError(f"{file}: offsets must ascend from 0.")
        if len(loved_items) and not 0 <= int(loved_items.min()) <= int(loved_items.max()) < n_items:
            raise ArtifactError(
                f"{arrays.array_path(f'{engine}_training_users_indices')}: points past the anime."
            )
        return cls(embeddings, indptr, loved_items, np.bincount(loved_items, minlength=n_items))

    def __len__(self) -> int:
        return len(self.embeddings)

    def nearest_users(
        self, user_vector: Float64Array, count: int = NEIGHBOUR_COUNT
    ) -> tuple[Int64Array, Float64Array]:
        """Return the users most like one with this vector (d,), and their cosines, best first."""
        length = float(np.linalg.norm(user_vector))
        if not length:
            return np.empty(0, np.int64), np.empty(0)
        similarity = (self.embeddings @ (user_vector / length).astype(np.float32)).astype(
            np.float64
        )
        best = np.argsort(-similarity, kind="stable")[:count]
        best = best[similarity[best] > 0]
        return best, similarity[best]

    def items_loved_by(self, user: int) -> Int32Array:
        """Return what a user loved, best first."""
        return self.loved_items[self.indptr[user] : self.indptr[user + 1]]
