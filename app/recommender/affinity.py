"""Affinity: how likely a fan is to pick an anime and love it, from what is on the list.

    affinity_i = sum_j interest_j (b B_ji + n N_ji) + general_share appeal_i

B and N are linear item-item models in closed form (Steck 2019 and 2020; how they are trained stands
in `model_build.affinity`): the sum estimates the fan's liking of i, 1 for an anime that is on the
list with a 9 or 10 and 0 for one that is not on it. B takes the list as complete. A handful of
titles never is: there N speaks, trained for lists that miss nearly everything. For an empty list
``appeal`` is left, what all fans think of i on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender import kernels
from app.recommender.arrays import ItemMatrix
from app.recommender.fold_in import Visitor
from app.recommender.model import Model

HANDFUL = 5.0
NEWCOMER_WEIGHT = 24.0
"""Weight of N for a handful of entries, where B has none. With the cube of the length B's rises to
1 and N's falls to 1, and from 20 entries on as one over the length: even longer lists are not quite
complete."""
SHORT_LIST = 20.0
LEAST_WEIGHT = 0.1
"""Below it, from 200 entries on, N changes nothing and is not looked at."""


@dataclass(frozen=True, slots=True)
class Affinity:
    """``value`` (n,) for every anime; ``general`` (n,) is the part that the list does not explain.

    ``entry`` with ``interest`` are the entries that it is spread from.
    """

    value: npt.NDArray[np.float64]
    general: npt.NDArray[np.float64]
    entry: npt.NDArray[np.int64]
    interest: npt.NDArray[np.float64]


def spread_affinity(model: Model, visitor: Visitor) -> Affinity:
    """The visitor's affinity to every anime of the model."""
    entries = len(visitor.entry)
    general = model.appeal * (1.0 / (1.0 + entries)) ** 2
    value = general.copy()
    for matrix, weight in _matrices(model, entries):
        value += kernels.spread(
            visitor.entry,
            visitor.interest * weight,
            matrix.start,
            matrix.target,
            matrix.value,
            matrix.scale,
            len(model),
        )
    return Affinity(value, general, visitor.entry, visitor.interest)


def contributions(
    model: Model, affinity: Affinity, wanted: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """What each entry adds to the affinity of each wanted anime, (wanted, entries)."""
    total = np.zeros((len(wanted), len(affinity.entry)))
    for matrix, weight in _matrices(model, len(affinity.entry)):
        total += weight * kernels.entries_between(
            affinity.entry, wanted, matrix.start, matrix.target, matrix.value, matrix.scale
        )
    return total * affinity.interest


def _matrices(model: Model, entries: int) -> list[tuple[ItemMatrix, float]]:
    entries = max(1, entries)
    handful = min(1.0, HANDFUL / entries) ** 3
    newcomer = max(NEWCOMER_WEIGHT * handful, min(1.0, SHORT_LIST / entries))
    matrices = [(model.affinity, 1.0 - handful), (model.newcomer, newcomer)]
    return [(matrix, weight) for matrix, weight in matrices if weight > LEAST_WEIGHT]
