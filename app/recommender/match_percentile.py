"""A match that a user can read: how much of what they love suits them less than an anime does.

The affinity to an anime of the list rests on the other entries alone (the matrices have no
diagonal), so it says how well the anime would have been recommended. The share of the user's
favourites with less affinity than a new anime is then its rank among them. Where these are few,
the curve of all users with lists as long counts, too.
"""

from __future__ import annotations

import numpy as np

from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model

LOVED_SCORE = 8.0
PERCENT = 100.0


def loved_positions(profile: UserProfile) -> Int64Array:
    """Positions (k,) of what a user scored 8 or more; for want of it, what was liked."""
    loved = profile.rated[profile.score >= LOVED_SCORE]
    return loved if len(loved) else profile.liked()


def match_percentiles(
    model: Model, profile: UserProfile, affinity: Float64Array, positions: Int64Array
) -> Float64Array:
    """Rank anime among what the user loves, in percent.

    Parameters
    ----------
    affinity
        (n,) of all anime.
    positions
        (k,) of those that are asked for.

    Returns
    -------
    Float64Array
        (k,) from 0 to 100, NaN where there is neither a favourite nor a curve.
    """
    loved = affinity[loved_positions(profile)]
    wanted = affinity[positions]
    own = np.searchsorted(np.sort(loved), wanted, side="left").astype(np.float64)
    weight = model.parameters.match_curve_weight if model.parameters.match_curves else 0.0
    of_all = weight * _share_of_all(model, len(profile.input_position), wanted)
    total = len(loved) + weight
    return PERCENT * (own + of_all) / total if total else np.full(len(positions), np.nan)


def _share_of_all(model: Model, length: int, wanted: Float64Array) -> Float64Array:
    """Return the share (k,) of all users' favourites with less affinity, by the nearest curves."""
    curves = model.parameters.match_curves
    if not curves:
        return np.zeros(len(wanted))
    lengths = np.log([curve.length for curve in curves])
    at = float(np.interp(np.log(max(1, length)), lengths, np.arange(len(curves))))
    lower = min(int(at), len(curves) - 1)
    upper = min(lower + 1, len(curves) - 1)
    below, above = (
        np.interp(wanted, curve.quantiles, np.linspace(0.0, 1.0, len(curve.quantiles)))
        for curve in (curves[lower], curves[upper])
    )
    return np.asarray(below + (at - lower) * (above - below))
