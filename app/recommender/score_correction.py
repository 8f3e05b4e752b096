"""What the terms of the predicted score leave over, told by boosted trees.

The terms of `app.recommender.score_model` are added up with the same weights for everybody. How
much each of them says depends on what is behind it: the trees look at that, and add what scores
like it were above or below the sum. They were trained on users that the model they saw was not
trained on (`model_build.train.trees`). Only what is asked for is corrected, which is
little of all anime.
"""

from __future__ import annotations

import numpy as np

from app.recommender.affinity import AffinityScores
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model
from app.recommender.reranking.feature_names import CORRECTION_FEATURES
from app.recommender.score_model import ScorePrediction

HIGHEST_SCORE = 10.0
PREDICTED_SCORE = CORRECTION_FEATURES.index("predicted_score")
FEW = 64
"""For no more it is quicker to count than to sort."""


def corrected_scores(
    model: Model,
    profile: UserProfile,
    affinity: AffinityScores,
    prediction: ScorePrediction,
    positions: Int64Array,
) -> Float64Array:
    """Predicted scores of some anime, (p,), not clipped; without such trees as they are."""
    if model.score_trees is None:
        return prediction.scores(positions)
    features = correction_features(model, profile, affinity, prediction, positions)
    return features[:, PREDICTED_SCORE] + model.score_trees.predict(features)


def correction_features(
    model: Model,
    profile: UserProfile,
    affinity: AffinityScores,
    prediction: ScorePrediction,
    positions: Int64Array,
) -> Float64Array:
    """Return `CORRECTION_FEATURES` of some anime, (p, f); NaN for what is not known.

    Counts are shares, so that they mean the same whatever the number of users trained on.
    """
    score_model, score = model.score_model, profile.score
    value = affinity.value / affinity.lift
    row = score_model.factor_row[positions]
    noise = np.where(row >= 0, score_model.noise_variance[row], np.nan)
    gaussian_term = prediction.gaussian_terms(positions)
    n_users = max(1, model.manifest.counts["fans"])
    entries, ratings = model.entry_count[positions], model.rating_count[positions]
    of_item = [
        prediction.other_terms[positions] + gaussian_term,
        prediction.knn_term[positions],
        gaussian_term,
        prediction.knn_support[positions],
        value[positions],
        _share_not_above(value, value[positions]),
        score_model.item_bias[positions],
        noise,
        entries / n_users,
        ratings / n_users,
        ratings / np.maximum(entries, 1),
    ]
    of_user = [
        prediction.user_bias,
        prediction.user_std,
        len(profile.input_position),
        len(score) / max(1, len(profile.input_position)),
        (score == HIGHEST_SCORE).mean() if len(score) else np.nan,
    ]
    return np.column_stack([*of_item, np.tile(of_user, (len(positions), 1))])


def _share_not_above(value: Float64Array, wanted: Float64Array) -> Float64Array:
    """How much of ``value`` (n,) each of some numbers is not below, (p,), from 0 to 1."""
    if len(wanted) > FEW:
        return np.searchsorted(np.sort(value), wanted, "right") / len(value)
    return np.array([np.count_nonzero(value <= limit) for limit in wanted]) / len(value)
