"""The users of training whose vectors are most like a user's, and what they loved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int32Array
from app.recommender.fold_in import UserProfile, ensure_profile
from app.recommender.model import Model
from app.recommender.rank import candidate_mask, top_items
from app.recommender.training_users import LOVED_MIN_SCORE, NEIGHBOUR_COUNT
from app.recommender.user_list import UserList


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One training user like the visitor.

    ``common_loved`` are loved by both, ``unseen_loved`` not on the visitor's list; positions, best
    first.
    """

    similarity: float
    common_loved: tuple[int, ...]
    unseen_loved: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NeighbourFavourite:
    """What ``supporters`` of the nearest users loved; ``weight`` is the sum of their cosines."""

    position: int
    supporters: int
    weight: float


@dataclass(frozen=True, slots=True)
class UserNeighbours:
    """The users like a visitor, nearest first, and what they loved that the visitor has not seen.

    ``neighbour_share`` (n,) is the share of the nearest users who loved each anime,
    ``overall_share`` (n,) that of all training users.
    """

    neighbours: tuple[Neighbour, ...]
    favourites: tuple[NeighbourFavourite, ...]
    neighbour_share: Float64Array
    overall_share: Float64Array


def find_user_neighbours(
    model: Model,
    engine: str,
    user: UserList | UserProfile,
    *,
    count: int = 20,
    neighbour_count: int = NEIGHBOUR_COUNT,
    allowed: BoolArray | None = None,
) -> UserNeighbours:
    """Find the training users of an engine who are most like this one.

    ``allowed`` (n,) bool narrows the favourites, of which there are at most ``count``.

    Raises
    ------
    KeyError
        The model has no such engine, or the engine no training users.
    """
    training_users = model.training_users[engine]
    profile = ensure_profile(model, user)
    neighbour_ids, similarity = training_users.nearest_users(
        model.engines[engine].user_embedding(profile.known_entries), neighbour_count
    )
    supporters, weight = np.zeros(len(model), np.int64), np.zeros(len(model))
    for neighbour, cosine in zip(neighbour_ids.tolist(), similarity.tolist(), strict=True):
        supporters[training_users.items_loved_by(neighbour)] += 1
        weight[training_users.items_loved_by(neighbour)] += cosine
    unseen_mask = candidate_mask(model, profile)
    shown = unseen_mask & (supporters > 0)
    if allowed is not None:
        shown &= allowed
    loved_mask = np.zeros(len(model), bool)
    loved_mask[profile.rated[profile.score >= LOVED_MIN_SCORE]] = True
    return UserNeighbours(
        tuple(
            _neighbour(training_users.items_loved_by(neighbour), cosine, loved_mask, unseen_mask)
            for neighbour, cosine in zip(neighbour_ids.tolist(), similarity.tolist(), strict=True)
        ),
        tuple(
            NeighbourFavourite(int(at), int(supporters[at]), float(weight[at]))
            for at in top_items(weight, shown, count)
        ),
        supporters / max(1, len(neighbour_ids)),
        training_users.supporters / max(1, len(training_users)),
    )


def _neighbour(
    loved_items: Int32Array, similarity: float, loved_mask: BoolArray, unseen_mask: BoolArray
) -> Neighbour:
    return Neighbour(
        similarity,
        tuple(loved_items[loved_mask[loved_items]].tolist()),
        tuple(loved_items[unseen_mask[loved_items]].tolist()),
    )
