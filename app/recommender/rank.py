"""Which anime may be shown, and in which order."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.recommender.fold_in import Visitor
from app.recommender.model import Model
from app.recommender.predict import Prediction

MIN_RATINGS = 30
"""Ratings that an anime needs before a predicted score may put it at the top: with fewer, its own
bias is mostly noise."""
MIN_NEIGHBOURS = 3
"""Entries of the fan's list that a predicted score must rest on (fewer if the list is shorter)."""


class Order(StrEnum):
    """What the recommendations are sorted by."""

    MATCH = "match"
    SCORE = "score"
    DISCOVER = "discover"


def supported(model: Model, prediction: Prediction) -> npt.NDArray[np.bool_]:
    """Where a predicted score rests on enough to be sorted by, (n,) bool."""
    needed = min(MIN_NEIGHBOURS, len(prediction.neighbourhood.source))
    return (model.rating_count >= MIN_RATINGS) & (prediction.neighbourhood.used >= needed)


def candidates(
    model: Model, visitor: Visitor, *, include_planned: bool = False
) -> npt.NDArray[np.bool_]:
    """Everything the fan has not seen, and, unless asked for, not planned either, (n,) bool."""
    allowed = np.ones(len(model), bool)
    allowed[visitor.seen] = False
    if not include_planned:
        allowed[visitor.planned] = False
    return allowed


def top(
    value: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_], count: int
) -> npt.NDArray[np.int64]:
    """Positions of the ``count`` largest values where allowed, best first; ties by anime id."""
    where = np.flatnonzero(allowed)
    if count < len(where):
        # All that equal the last place come along, so that the sort decides between them.
        place = len(where) - count
        where = where[value[where] >= np.partition(value[where], place)[place]]
    return where[np.argsort(-value[where], kind="stable")][:count]
