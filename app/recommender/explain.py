"""Why an anime is recommended: the entries of the list that its number was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.predict import Prediction


@dataclass(frozen=True, slots=True)
class Reason:
    """One entry of the fan's list and what it added.

    ``position`` is the entry's anime in the model; ``weight`` what it adds to the number explained
    (negative if it pulls down).
    """

    position: int
    weight: float


def reasons_for_score(prediction: Prediction, target: int) -> list[Reason]:
    """The terms s_ij e_uj / sum(s_ij) of one predicted score, largest first.

    They sum to the predicted score minus its baseline.
    """
    near = prediction.neighbourhood
    first = near.begin[target]
    last = first + near.used[target]
    if first == last:
        return []
    which = near.which[first:last]
    weight = near.weight[first:last] * near.residual[which] / prediction.total_similarity[target]
    order = np.lexsort((which, -weight))
    return [Reason(int(near.source[which[o]]), float(weight[o])) for o in order]
