"""Fans like a fan: those trained on as nameless vectors, and what they loved.

Optional: a model that has no ``NAME_fan_*`` arrays of an engine has no crowd. Fans are alike by the
cosine of their vectors, which the engine makes of a list; those of the crowd were made of their
lists in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from app.recommender.arrays import Arrays
from app.recommender.artifact import ArtifactError

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

NEAREST = 50
"""Fans whose favourites are put together: fewer are chance, more are everybody."""
LOVED_SCORE = 8.0
MOST_LOVED = 50


@dataclass(frozen=True, slots=True)
class Crowd:
    """``vector`` (f, d) float32, rows of length 1; what fan k loved, best first, are the positions
    ``loved[start[k]:start[k + 1]]``. ``lovers`` (n,) is how many of them loved each anime."""

    vector: npt.NDArray[np.float32]
    start: Longs
    loved: npt.NDArray[np.int32]
    lovers: Longs

    @classmethod
    def of(cls, arrays: Arrays, name: str, n: int) -> Self | None:
        """The crowd of the engine ``name`` in a model of n anime; None if it has none.

        Raises:
            ArtifactError: the arrays do not fit.
        """
        if f"{name}_fan_vector" not in arrays:
            return None
        start = arrays.vector(f"{name}_fan_start", np.int64)
        vector = arrays.table(f"{name}_fan_vector", len(start) - 1)
        loved = arrays.vector(f"{name}_fan_loved", np.int32)
        if start[0] != 0 or (np.diff(start) < 0).any() or start[-1] != len(loved):
            raise ArtifactError(f"{arrays.file(f'{name}_fan_start')}: offsets must ascend from 0.")
        if len(loved) and not 0 <= int(loved.min()) <= int(loved.max()) < n:
            raise ArtifactError(f"{arrays.file(f'{name}_fan_loved')}: points past the anime.")
        return cls(vector, start, loved, np.bincount(loved, minlength=n))

    def __len__(self) -> int:
        return len(self.vector)

    def nearest(self, fan: Floats, count: int = NEAREST) -> tuple[Longs, Floats]:
        """The fans most like one with this vector (d,), and their cosines, best first."""
        length = float(np.linalg.norm(fan))
        if not length:
            return np.empty(0, np.int64), np.empty(0)
        likeness = (self.vector @ (fan / length).astype(np.float32)).astype(np.float64)
        near = np.argsort(-likeness, kind="stable")[:count]
        near = near[likeness[near] > 0]
        return near, likeness[near]

    def loved_by(self, fan: int) -> npt.NDArray[np.int32]:
        """What a fan of the crowd loved, best first."""
        return self.loved[self.start[fan] : self.start[fan + 1]]
