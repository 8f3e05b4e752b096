"""How alike the tastes of two fans are, what they agree on and where they part.

Compared are residuals: scores minus what was to be expected of that fan for that anime. So two fans
are not alike because both find a classic good, nor apart because one of them is stricter.

    r        = sum e_a e_b / sqrt(sum e_a^2 sum e_b^2)     over the n anime both scored
    likeness = n / (n + shrinkage) r
    chance   = Phi(likeness / sqrt(1 / shrinkage + 1 / (n + shrinkage)))

Between two fans picked at random r is 0 on average and spreads by 1 / sqrt(shrinkage) once the
chance of few shared anime is taken off (`docs/model.md`). So ``chance`` is how likely these two are
more alike than two fans picked at random: 0.5 when nothing is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model

MIN_SHARED_ITEMS = 5
"""Anime that both must have scored before their likeness is told at all."""
MIN_DIFFERENCE = 1.0
FAVOURITE_QUANTILE = 0.75
"""Favourites are scored at least as high as this quantile of the fan's own scores."""


@dataclass(frozen=True, slots=True)
class SharedItem:
    """An anime that both scored; ``apart`` is a's residual minus b's, in points."""

    anime_id: int
    scores: tuple[float, float]
    difference: float


@dataclass(frozen=True, slots=True)
class UserSimilarity:
    """How alike two fans are; ``seen`` and ``scored`` count what both have seen and scored.

    ``value`` (-1..1) and ``chance`` (0..1) are None below `LEAST_SHARED` scored, and where one of
    the two scored exactly as was to be expected. ``gap`` is how far their scores of the same anime
    lie apart on average, None where they share none.
    """

    shared_seen: int
    shared_scored: int
    value: float | None
    probability: float | None
    mean_difference: float | None


@dataclass(frozen=True, slots=True)
class UserComparison:
    """Two fans side by side: ``disagreements``, the widest first; ``favourites`` of both."""

    similarity: UserSimilarity
    disagreements: tuple[SharedItem, ...]
    favourites: tuple[SharedItem, ...]


def compare_users(model: Model, one: UserProfile, other: UserProfile, count: int) -> UserComparison:
    """Compare two fans; of disagreements and shared favourites ``count`` each are told.

    A disagreement is an anime that one of them scored higher than was to be expected and the other
    lower, at least `LEAST_APART` apart, and that is not a favourite of both. Of favourites those
    come first that the less enthusiastic of the two placed highest above the own average; of equal
    ones those that both scored furthest above what was to be expected.
    """
    shared, mine, theirs = np.intersect1d(one.rated, other.rated, return_indices=True)
    e, f = one.residual[mine], other.residual[theirs]
    r, s = one.score[mine], other.score[theirs]
    difference = e - f

    def shared_items(chosen: Int64Array) -> tuple[SharedItem, ...]:
        return tuple(
            SharedItem(
                int(model.anime_id[shared[at]]), (float(r[at]), float(s[at])), float(difference[at])
            )
            for at in chosen[:count]
        )

    both_love = favourite_mask(one)[mine] & favourite_mask(other)[theirs]
    opposed = np.flatnonzero((e * f < 0) & (np.abs(difference) >= MIN_DIFFERENCE) & ~both_love)
    loved = np.flatnonzero(both_love)
    lesser = np.minimum(r - _mean_score(one), s - _mean_score(other))
    return UserComparison(
        _user_similarity(
            len(np.intersect1d(one.seen, other.seen)),
            e,
            f,
            r - s,
            model.parameters.user_similarity_shrinkage,
        ),
        shared_items(opposed[np.lexsort((shared[opposed], -np.abs(difference[opposed])))]),
        shared_items(loved[np.lexsort((shared[loved], -(e + f)[loved], -lesser[loved]))]),
    )


def favourite_mask(profile: UserProfile) -> BoolArray:
    """Which of ``visitor.rated`` are among the best scored quarter of the fan's own list."""
    if not len(profile.score):
        return np.zeros(0, bool)
    return np.asarray(profile.score >= np.quantile(profile.score, FAVOURITE_QUANTILE))


def _mean_score(profile: UserProfile) -> float:
    return float(profile.score.mean()) if len(profile.score) else 0.0


def _user_similarity(
    shared_seen: int,
    residuals_a: Float64Array,
    residuals_b: Float64Array,
    score_differences: Float64Array,
    shrinkage: float,
) -> UserSimilarity:
    n = len(residuals_a)
    mean_difference = float(np.abs(score_differences).mean()) if n else None
    size = math.sqrt(float(residuals_a @ residuals_a) * float(residuals_b @ residuals_b))
    if n < MIN_SHARED_ITEMS or size == 0:
        return UserSimilarity(shared_seen, n, None, None, mean_difference)
    value = n / (n + shrinkage) * float(np.clip((residuals_a @ residuals_b) / size, -1, 1))
    std = math.sqrt(1 / shrinkage + 1 / (n + shrinkage))
    return UserSimilarity(
        shared_seen, n, value, 0.5 * (1 + math.erf(value / std / math.sqrt(2))), mean_difference
    )
