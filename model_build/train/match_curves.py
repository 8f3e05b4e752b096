"""Fit the curves that a match in percent is read off where a list says little by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.recommender import Model, RecommendOptions
from app.recommender.array_types import Float64Array
from app.recommender.match_percentile import LOVED_SCORE, PERCENT
from app.recommender.parameters import MatchCurve
from app.recommender.recommend import score_items
from model_build.data.holdout import HoldoutUser, truncate_history

CURVE_LENGTHS = (1, 3, 10, 30, 100, 300)
N_QUANTILES = 41
MAX_PER_USER = 30
"""Favourites of one user that count, so that long lists do not decide alone."""
DIGITS = 6


def fit_match_curves(model: Model, users: Sequence[HoldoutUser]) -> tuple[MatchCurve, ...]:
    """Fit a curve for each of `CURVE_LENGTHS` to users whose lists are cut to it.

    It has the quantiles of affinities as the second stage moves them, worked out from what is left
    of a list, to what was cut away or hidden and scored 8 or more. A length that no list reaches
    has no curve.
    """
    rng = np.random.default_rng(0)
    curves = []
    for length in CURVE_LENGTHS:
        able = [user for user in users if len(user.visible.anime_id) >= length]
        found = [
            affinity
            for user, whole in zip(truncate_history(able, length, seed=0), able, strict=True)
            if len(affinity := _loved_affinity(model, user, whole, rng))
        ]
        if found:
            levels = np.quantile(np.concatenate(found), np.linspace(0.0, 1.0, N_QUANTILES))
            rounded = tuple(np.round(np.maximum.accumulate(levels), DIGITS).tolist())
            curves.append(MatchCurve(length=length, quantiles=rounded))
    return tuple(curves)


def _loved_affinity(
    model: Model, user: HoldoutUser, whole: HoldoutUser, rng: np.random.Generator
) -> Float64Array:
    """Affinities of loved anime that the list of ``user`` does not hold."""
    ids = np.concatenate([whole.visible.anime_id, whole.hidden_ids])
    scores = np.concatenate([whole.visible.score, whole.hidden_scores])
    outside = ~np.isin(ids, user.visible.anime_id)
    position = model.find_positions(ids[outside & (scores >= LOVED_SCORE)])
    position = rng.permutation(position[position >= 0])[:MAX_PER_USER]
    return score_items(model, user.visible, RecommendOptions()).ranked_match[position] / PERCENT
