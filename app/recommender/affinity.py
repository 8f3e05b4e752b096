"""Affinity: how likely a user is to pick an anime and love it, from what is on the list.

    affinity_i = sum_j w_j (b B_ji + n N_ji) + prior_share relevance_i

B and N are linear item-item models in closed form (Steck 2019 and 2020; how they are trained stands
in `model_build.train.affinity`), w_j the input weights of the entries: the sum estimates the user's
relevance of i, 1 for an anime that is on the list with a 9 or 10 and 0 for one that is not on it. B
takes the list as complete. A short list never is: there N counts, trained for lists that miss
nearly everything. For an empty list the mean relevance over all users is left.

Most lists that a model learns from are older than the newest anime, so that these are learnt as
unwanted by everyone who could not have them. Their order among themselves is right, their level too
low. So all recent anime are lifted by one factor, until they have about the share of what is on top
that they have of the user's list (`recent_lift`): a calibrated ranking (Steck, RecSys 2018) of two
kinds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.arrays import ItemMatrix
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model

MAX_RECENT_SHARE = 0.9
LIFT_MARGIN = 1e-6
"""A recent anime is lifted past the other, not to its side."""


@dataclass(frozen=True, slots=True)
class AffinityScores:
    """``value`` (n,) for every anime; ``prior`` (n,) is the part that the list does not explain.

    Both hold ``lift`` (n,), by which recent anime are multiplied. ``input_position`` (k,) with
    ``input_weight`` (k,) are the entries that it is computed from, by ``matrices``, each with its
    weight: B, N, and for very short lists the weights of N to what few know.
    """

    value: Float64Array
    prior: Float64Array
    lift: Float64Array
    input_position: Int64Array
    input_weight: Float64Array
    matrices: tuple[tuple[ItemMatrix, float], ...]


def score_affinity(model: Model, profile: UserProfile) -> AffinityScores:
    """Return the user's affinity to every anime of the model."""
    entry_count = len(profile.input_position)
    prior = model.item_relevance * (1.0 + entry_count) ** -model.parameters.prior_decay_exponent
    value, matrices = prior.copy(), _weighted_matrices(model, profile)
    for matrix, weight in matrices:
        if not weight:
            continue
        weights = profile.input_weight * weight
        value += matrix.weighted_row_sum(profile.input_position, weights, len(model))
    lift = np.where(model.is_recent & (value > 0), recent_lift(model, profile, value), 1.0)
    return AffinityScores(
        value * lift, prior * lift, lift, profile.input_position, profile.input_weight, matrices
    )


def short_history_share(model: Model, profile: UserProfile) -> float:
    """Return how far a list counts as short, from 1 to (nearly) 0."""
    own, entry_count = model.parameters, len(profile.input_position)
    length = own.partial_history_length if profile.is_partial else own.short_history_length
    return float(min(1.0, length / max(1, entry_count)) ** own.short_history_exponent)


def wanted_recent_share(model: Model, profile: UserProfile) -> float:
    """Return the share that recent anime are to have of what is recommended, from 0 to 1."""
    parameters, listed = model.parameters, profile.known_entries.position
    # A share of few entries says little, and one title alone must not make all picks like it.
    entries = max(1.0, len(listed) + parameters.recent_share_shrinkage)
    share = float(model.is_recent[listed].sum()) / entries
    wanted = parameters.recent_share_gain * share + parameters.recent_share_floor
    return min(wanted, MAX_RECENT_SHARE)


def recent_lift(model: Model, profile: UserProfile, value: Float64Array) -> float:
    """By how much recent anime are lifted for a user, 1 or more.

    Of the ``recent_depth`` best of ``value`` (n,) that the user has not listed, the share
    ``recent_share_gain`` times that on the list, plus ``recent_share_floor``, is to be recent: with
    q anime of them, the factor takes the q-th best recent one past the other anime in its way. It
    takes none above 1, which as an affinity is certainty.
    """
    depth, wanted = model.parameters.recent_depth, wanted_recent_share(model, profile)
    listed = profile.known_entries.position
    unlisted = np.ones(len(model), bool)
    unlisted[listed] = False
    recent = _largest(value[model.is_recent & unlisted & (value > 0)], depth)
    others = _largest(value[~model.is_recent & unlisted], depth)
    count = min(math.ceil(wanted * depth), len(recent))
    if not 0 < count < depth or len(others) <= depth - count:
        return 1.0
    wanted_lift = float(others[depth - count] / recent[count - 1]) * (1.0 + LIFT_MARGIN)
    return max(1.0, min(wanted_lift, 1.0 / float(recent[0])))


def _largest(value: Float64Array, count: int) -> Float64Array:
    """Return the ``count`` largest values, in falling order."""
    if count < len(value):
        value = np.partition(value, len(value) - count)[-count:]
    return -np.sort(-value)


def affinity_contributions(affinity: AffinityScores, positions: Int64Array) -> Float64Array:
    """Return what each entry adds to the affinity of each of some anime, (positions, entries)."""
    total = np.zeros((len(positions), len(affinity.input_position)))
    for matrix, weight in affinity.matrices:
        if not weight:
            continue
        terms = matrix.dense_submatrix(affinity.input_position, positions, len(affinity.value))
        total += weight * terms
    return total * affinity.input_weight * affinity.lift[positions, None]


def _weighted_matrices(model: Model, profile: UserProfile) -> tuple[tuple[ItemMatrix, float], ...]:
    """Return the matrices that count for a list, and their weights.

    N has all the weight up to ``short_history_length`` entries, or ``partial_history_length`` of a
    partial list. From there on B's rises to 1 and its own falls, to 1 and then as one over the
    length: even longer lists are not quite complete. Below ``min_matrix_weight`` either changes
    nothing and counts 0. For lists too short for the second stage the weights of N to what few know
    count as well: of an anime's largest these are seldom, and nothing else speaks for such anime
    there.
    """
    own, entry_count = model.parameters, len(profile.input_position)
    share = short_history_share(model, profile)
    of_short = max(
        own.short_history_weight * share, min(1.0, own.weight_decay_length / max(1, entry_count))
    )
    matrices = [(model.affinity_matrix, 1.0 - share), (model.short_history_matrix, of_short)]
    if model.little_known_matrix is not None and entry_count < own.rerank_min_entries:
        matrices.append((model.little_known_matrix, of_short))
    least = own.min_matrix_weight
    return tuple((matrix, weight if weight > least else 0.0) for matrix, weight in matrices)
