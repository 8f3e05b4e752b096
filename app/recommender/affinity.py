"""Affinity: how likely a fan is to pick an anime and love it, from what is on the list.

    affinity_i = sum_j interest_j (b B_ji + n N_ji) + general_share appeal_i

B and N are linear item-item models in closed form (Steck 2019 and 2020; how they are trained stands
in `model_build.train.affinity`): the sum estimates the fan's liking of i, 1 for an anime that is on the
list with a 9 or 10 and 0 for one that is not on it. B takes the list as complete. A handful of
titles never is: there N speaks, trained for lists that miss nearly everything. For an empty list
``appeal`` is left, what all fans think of i on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender import kernels
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.arrays import ItemMatrix
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model

SHORT_HISTORY_LENGTH = 5.0
SHORT_HISTORY_WEIGHT = 24.0
"""Weight of N for a handful of entries, where B has none. With the cube of the length B's rises to
1 and N's falls to 1, and from 20 entries on as one over the length: even longer lists are not quite
complete."""
WEIGHT_DECAY_LENGTH = 20.0
MIN_MATRIX_WEIGHT = 0.1
"""Below it, from 200 entries on, N changes nothing and is not looked at."""


@dataclass(frozen=True, slots=True)
class AffinityScores:
    """``value`` (n,) for every anime; ``general`` (n,) is the part that the list does not explain.

    ``entry`` with ``interest`` are the entries that it is spread from.
    """

    value: Float64Array
    prior: Float64Array
    input_position: Int64Array
    input_weight: Float64Array


def score_affinity(model: Model, profile: UserProfile) -> AffinityScores:
    """The visitor's affinity to every anime of the model."""
    entry_count = len(profile.input_position)
    prior = model.item_relevance * (1.0 / (1.0 + entry_count)) ** 2
    value = prior.copy()
    for matrix, weight in _weighted_matrices(model, entry_count):
        value += kernels.weighted_row_sum(
            profile.input_position,
            profile.input_weight * weight,
            matrix.indptr,
            matrix.indices,
            matrix.data,
            matrix.scale,
            len(model),
        )
    return AffinityScores(value, prior, profile.input_position, profile.input_weight)


def affinity_contributions(
    model: Model, affinity: AffinityScores, positions: Int64Array
) -> Float64Array:
    """What each entry adds to the affinity of each wanted anime, (wanted, entries)."""
    total = np.zeros((len(positions), len(affinity.input_position)))
    for matrix, weight in _weighted_matrices(model, len(affinity.input_position)):
        total += weight * kernels.dense_submatrix(
            affinity.input_position,
            positions,
            matrix.indptr,
            matrix.indices,
            matrix.data,
            matrix.scale,
        )
    return total * affinity.input_weight


def _weighted_matrices(model: Model, entry_count: int) -> list[tuple[ItemMatrix, float]]:
    entry_count = max(1, entry_count)
    short_history_share = min(1.0, SHORT_HISTORY_LENGTH / entry_count) ** 3
    short_history_weight = max(
        SHORT_HISTORY_WEIGHT * short_history_share, min(1.0, WEIGHT_DECAY_LENGTH / entry_count)
    )
    matrices = [
        (model.affinity_matrix, 1.0 - short_history_share),
        (model.short_history_matrix, short_history_weight),
    ]
    return [(matrix, weight) for matrix, weight in matrices if weight > MIN_MATRIX_WEIGHT]
