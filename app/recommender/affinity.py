"""Affinity: how likely a user is to pick an anime and love it, from what is on the list.

    affinity_i = sum_j w_j (b B_ji + n N_ji) + prior_share relevance_i

B and N are linear item-item models in closed form (Steck 2019 and 2020; how they are trained stands
in `model_build.train.affinity`), w_j the input weights of the entries: the sum estimates the user's
relevance of i, 1 for an anime that is on the list with a 9 or 10 and 0 for one that is not on it. B
takes the list as complete. A short list never is: there N counts, trained for lists that miss
nearly everything. For an empty list the mean relevance over all users is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender import kernels
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.arrays import ItemMatrix
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model


@dataclass(frozen=True, slots=True)
class AffinityScores:
    """``value`` (n,) for every anime; ``prior`` (n,) is the part that the list does not explain.

    ``input_position`` (k,) with ``input_weight`` (k,) are the entries that it is computed from.
    """

    value: Float64Array
    prior: Float64Array
    input_position: Int64Array
    input_weight: Float64Array


def score_affinity(model: Model, profile: UserProfile) -> AffinityScores:
    """Return the user's affinity to every anime of the model."""
    entry_count = len(profile.input_position)
    prior = model.item_relevance * (1.0 + entry_count) ** -model.parameters.prior_decay_exponent
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
    """Return what each entry adds to the affinity of each of some anime, (positions, entries)."""
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
    """Return the matrices that count for a list of so many entries, and their weights.

    That of short lists has all the weight up to ``short_history_length`` entries. From there on the
    other's rises to 1 and its own falls, to 1 and then as one over the length: even longer lists
    are not quite complete. Below ``min_matrix_weight`` it changes nothing and is left out.
    """
    parameters, entry_count = model.parameters, max(1, entry_count)
    share = min(1.0, parameters.short_history_length / entry_count)
    share **= parameters.short_history_exponent
    short_history_weight = max(
        parameters.short_history_weight * share,
        min(1.0, parameters.weight_decay_length / entry_count),
    )
    matrices = [
        (model.affinity_matrix, 1.0 - share),
        (model.short_history_matrix, short_history_weight),
    ]
    return [pair for pair in matrices if pair[1] > parameters.min_matrix_weight]
