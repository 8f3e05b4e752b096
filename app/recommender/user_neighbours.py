"""The users of training whose vectors are most like a user's, and what they loved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int32Array
from app.recommender.fold_in import UserProfile, ensure_profile
from app.recommender.model import Model
from app.recommender.parameters import ServingParameters
from app.recommender.rank import candidate_mask, top_items
from app.recommender.training_users import LOVED_MIN_SCORE, NEIGHBOUR_COUNT, TrainingUsers
from app.recommender.user_list import UserList

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One training user like the visitor, or ``user_count`` of them in a cluster.

    ``common_loved`` are loved by both, ``unseen_loved`` not on the visitor's list; positions, best
    first.
    """

    similarity: float
    user_count: int
    common_loved: tuple[int, ...]
    unseen_loved: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NeighbourFavourite:
    """What ``supporters`` of the nearest users loved.

    ``weight`` is the sum of their cosines, times ``preference``, which is 1 where nothing is
    preferred (`preference_lift`).
    """

    position: int
    supporters: int
    weight: float
    preference: float


@dataclass(frozen=True, slots=True)
class UserNeighbours:
    """The users like a visitor, nearest first, and what they loved that the visitor has not seen.

    ``neighbour_share`` (n,) is the share of the nearest users who loved each anime,
    ``overall_share`` (n,) that of all training users; ``neighbour_count`` is how many the nearest
    are, those of clusters counted.
    """

    neighbours: tuple[Neighbour, ...]
    favourites: tuple[NeighbourFavourite, ...]
    neighbour_share: Float64Array
    overall_share: Float64Array
    neighbour_count: int


class WordIndex(Protocol):
    """Which anime have which words: ``indices[indptr[w]:indptr[w + 1]]`` have the w-th."""

    @property
    def indptr(self) -> Int32Array:
        """Where the anime of each word begin, (words + 1,)."""

    @property
    def indices(self) -> Int32Array:
        """Positions (x,) of anime, word after word."""


def preference_lift(
    words: WordIndex,
    neighbour_share: Float64Array,
    overall_share: Float64Array,
    parameters: ServingParameters,
) -> Float64Array:
    """How far the nearest users prefer the words of each anime, (n,); 1 where it has none.

    A word's lift is its share of what the nearest loved over its share of what all loved
    (``neighbour_share`` and ``overall_share`` (n,) of each anime), an anime's the geometric mean of
    its words', within 1 / ``preference_limit`` to ``preference_limit``. To the shares
    ``preference_damping`` is added, so that a rare word is not preferred by chance.
    """
    n = len(overall_share)
    word = np.repeat(np.arange(len(words.indptr) - 1), np.diff(words.indptr))
    near, overall = (
        np.bincount(word, share[words.indices], len(words.indptr) - 1) / (share.sum() or 1.0)
        for share in (neighbour_share, overall_share)
    )
    damping, limit = parameters.preference_damping, np.log(parameters.preference_limit)
    lift = np.log((near + damping) / (overall + damping))
    count = np.bincount(words.indices, minlength=n)
    mean = np.bincount(words.indices, lift[word], n) / np.maximum(count, 1)
    return np.asarray(np.exp(np.clip(mean, -limit, limit)))


def find_user_neighbours(
    model: Model,
    engine: str,
    user: UserList | UserProfile,
    *,
    count: int = 20,
    neighbour_count: int = NEIGHBOUR_COUNT,
    allowed: BoolArray | None = None,
    preferred: Sequence[WordIndex] = (),
) -> UserNeighbours:
    """Find the training users of an engine who are most like this one.

    ``allowed`` (n,) bool narrows what is unseen: the favourites, of which there are at most
    ``count``, and what each user loved besides. By what is
    ``preferred`` they are weighed (`preference_lift`), and left out where the nearest prefer it
    less than all users do.

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
        lovers = training_users.lovers_in(neighbour)
        supporters[training_users.items_loved_by(neighbour)] += lovers
        weight[training_users.items_loved_by(neighbour)] += cosine * lovers
    n_neighbours = int(training_users.user_count[neighbour_ids].sum())
    neighbour_share = supporters / max(1, n_neighbours)
    overall_share = training_users.supporters / max(1, len(training_users))
    preference = np.ones(len(model))
    for words in preferred:
        preference *= preference_lift(words, neighbour_share, overall_share, model.parameters)
    weight *= preference
    unseen_mask = candidate_mask(model, profile)
    if allowed is not None:
        unseen_mask &= allowed
    shown = unseen_mask & (supporters > 0) & (preference >= 1.0 - ROUNDING)
    loved_mask = np.zeros(len(model), bool)
    loved_mask[profile.rated[profile.score >= LOVED_MIN_SCORE]] = True
    return UserNeighbours(
        tuple(
            _neighbour(training_users, neighbour, cosine, loved_mask, unseen_mask)
            for neighbour, cosine in zip(neighbour_ids.tolist(), similarity.tolist(), strict=True)
        ),
        tuple(
            NeighbourFavourite(
                int(at), int(supporters[at]), float(weight[at]), float(preference[at])
            )
            for at in top_items(weight, shown, count)
        ),
        neighbour_share,
        overall_share,
        n_neighbours,
    )


def _neighbour(
    training_users: TrainingUsers,
    row: int,
    similarity: float,
    loved_mask: BoolArray,
    unseen_mask: BoolArray,
) -> Neighbour:
    loved_items = training_users.items_loved_by(row)
    return Neighbour(
        similarity,
        int(training_users.user_count[row]),
        tuple(loved_items[loved_mask[loved_items]].tolist()),
        tuple(loved_items[unseen_mask[loved_items]].tolist()),
    )
