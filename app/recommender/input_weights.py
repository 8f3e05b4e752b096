"""How strongly the entries of a list count for affinity, in training and in serving alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from app.recommender.array_types import Float64Array, Int8Array
from app.recommender.arrays import ArtifactReader
from app.recommender.watch_status import WatchStatus


@dataclass(frozen=True, slots=True)
class InputWeights:
    """The weight of an entry, by its score and status; training writes it into the manifest.

    A scored entry weighs ``1 + slope (score - midpoint)``, one without a score ``unscored``, and
    none less than ``minimum``, which is also what a title dropped without a score weighs: at a
    score of 4.5 or less, say, a user still chose to watch the anime. In a list made by hand these
    weigh ``-minimum``: of all that was seen, somebody named them to say that they are not liked.

    Examples
    --------
    >>> weights = InputWeights(slope=0.3, midpoint=7.5, unscored=0.5, minimum=0.1)
    >>> weights.of_entries(np.array([6.0, 10.0, 0.0]), np.array([2, 2, 1], np.int8))
    array([0.55, 1.75, 0.5 ])
    >>> weights.of_entries(np.array([3.0, 10.0]), np.array([2, 2], np.int8), is_handpicked=True)
    array([-0.1 ,  1.75])
    """

    slope: float
    midpoint: float
    unscored: float
    minimum: float

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader) -> Self:
        """From the numbers ``input_weight_*`` of a model."""
        return cls(*(arrays.read_number(name) for name in cls.number_names()))

    @classmethod
    def number_names(cls) -> list[str]:
        """Return what the fields are called among a model's hyperparameters."""
        return [f"input_weight_{name}" for name in cls.__slots__]

    def of_entries(
        self, score: Float64Array, status: Int8Array, *, is_handpicked: bool = False
    ) -> Float64Array:
        """Weights (k,) of entries with these scores (k,), 0 for none, and status codes (k,)."""
        scored = (score > 0) & (status != WatchStatus.PLAN_TO_WATCH)
        dropped = ~scored & (status == WatchStatus.DROPPED)
        graded = 1.0 + self.slope * (score - self.midpoint)
        disliked = dropped | (scored & (graded <= self.minimum))
        weight = np.where(scored, graded, self.unscored)
        return np.where(disliked, -self.minimum if is_handpicked else self.minimum, weight)
