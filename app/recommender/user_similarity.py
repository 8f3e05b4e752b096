"""How similar the scores of two users are, what they agree on and where they differ.

Compared are residuals: scores minus what was to be expected of that user for that anime. So two
users are not similar because both find a classic good, nor different because one is stricter.

    r           = sum e_a e_b / sqrt(sum e_a^2 sum e_b^2)     over the n anime both scored
    value       = n / (n + shrinkage) r
    probability = Phi(value / sqrt(1 / shrinkage + 1 / (n + shrinkage)))

Between two users drawn at random r is 0 on average with a standard deviation of
1 / sqrt(shrinkage), beside that of few shared anime (`docs/model.md`). So ``probability`` is how
likely these two are more similar than two drawn at random: 0.5 when nothing is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model

MIN_SHARED_ITEMS = 5
"""Anime that both must have scored for a similarity."""
MIN_DIFFERENCE = 1.0
FAVOURITE_QUANTILE = 0.75
"""Favourites are scored at least as high as this quantile of the user's own scores."""


@dataclass(frozen=True, slots=True)
class SharedItem:
    """An anime that both scored; ``difference`` is the first's residual minus the other's."""

    anime_id: int
    scores: tuple[float, float]
    difference: float


@dataclass(frozen=True, slots=True)
class UserSimilarity:
    """How similar two users are; ``shared_*`` count what both have seen and scored.

    ``value`` (-1..1) and ``probability`` (0..1) are None below `MIN_SHARED_ITEMS` scored, and where
    one of the two scored exactly as was to be expected. ``mean_difference`` is that of their scores
    of the same anime, in points, None where they share none.
    """

    shared_seen: int
    shared_scored: int
    value: float | None
    probability: float | None
    mean_difference: float | None


@dataclass(frozen=True, slots=True)
class UserComparison:
    """Two users side by side: ``disagreements``, the widest first; ``favourites`` of both."""

    similarity: UserSimilarity
    disagreements: tuple[SharedItem, ...]
    favourites: tuple[SharedItem, ...]


def compare_users(model: Model, one: UserProfile, other: UserProfile, count: int) -> UserComparison:
    """Compare two users; there are at most ``count`` disagreements and as many shared favourites.

    A disagreement is an anime that one scored above expectation and the other below, at least
    `MIN_DIFFERENCE` apart, and that is not a favourite of both. Favourites are ordered by how far
    the less enthusiastic of the two scored above the own average, then by the sum of residuals.
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
    """Which of ``profile.rated`` (k,) are among the best scored quarter of the user's own list."""
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
