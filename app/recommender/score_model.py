"""Predicted scores, sharper than KNN with baseline: three views of a fan's taste, added up.

With x_j = r_j - mu - b_j the fan's deviations, level = sum x / (reg + n), s the fan's spread (how
far the scores lie from one another), z_j = (x_j - level) / s and t = n / (n + 100):

    score_i = mu + b_i + level + (0.25 + 0.57 t) s knn_i + (0.69 - 0.39 t) (s g_i - level)
              + 0.41 affinity_i - 0.15

- ``knn_i``: the neighbourhood of Koren (2010, section 2.2) in standard scores, its shrunk
  similarities cubed so that the nearest speak loudest: sum w_ij z_j / (0.005 + sum w_ij).
- ``g_i``: anime are jointly Gaussian over fans with covariance V V' + diag(noise); g is the
  conditional mean given x / s, which weighs the entries jointly (two seasons of one show count
  once) and gives an expected error as well. V is trained by expectation maximisation
  (`model_build.train.score_model`); its last column is the fan's level.
- ``affinity_i``: what fans pick for themselves they score higher than the rest.

The joint view needs few scores, the neighbourhood many. All three are sums over the fan's own
entries. The numbers in the formula were fitted on held-out fans (`docs/model.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender import kernels
from app.recommender.affinity import AffinityScores
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.fold_in import DROPPED_RESIDUAL, UserProfile
from app.recommender.model import Model, ScoreModel

KNN_WEIGHT = (0.25, 0.57)
GAUSSIAN_WEIGHT = (0.69, -0.39)
SCORE_COUNT_SHRINKAGE = 100.0
AFFINITY_WEIGHT = 0.41
AFFINITY_OFFSET = -0.15
SIMILARITY_DAMPING = 0.005


@dataclass(frozen=True, slots=True)
class ScorePrediction:
    """``score`` (n,) for every anime, and what it was made of, in points.

    ``level`` is the fan's, ``nearest`` and ``joint`` (n,) are what knn and g add.
    ``precision_root`` (f, f) is the lower Cholesky factor of what is known of the fan's factors.
    """

    score: Float64Array
    user_bias: float
    knn_term: Float64Array
    gaussian_term: Float64Array
    user_std: float
    precision_cholesky: Float64Array


def predict_scores(model: Model, profile: UserProfile, affinity: AffinityScores) -> ScorePrediction:
    """Predict the visitor's score of every anime in the model."""
    score_model = model.score_model
    deviation = profile.score - model.global_mean - score_model.item_bias[profile.rated]
    n = len(deviation)
    user_bias = float(deviation.sum() / (score_model.reg_user + n))
    within = deviation - user_bias
    squares = within @ within + score_model.score_std_weight * score_model.score_std**2
    user_std = float(np.sqrt(squares / (n + score_model.score_std_weight)))
    entry_position = np.concatenate([profile.rated, profile.dropped_unscored])
    deviation = np.concatenate(
        [deviation, np.full(len(profile.dropped_unscored), user_bias + DROPPED_RESIDUAL)]
    )
    standard = (deviation - user_bias) / user_std

    matrix = score_model.similarity
    numerator, total_weight = kernels.cubed_weight_sums(
        entry_position,
        standard,
        matrix.indptr,
        matrix.indices,
        matrix.data,
        matrix.scale,
        len(model),
    )
    knn_term = numerator / (SIMILARITY_DAMPING + total_weight)

    user_factors, precision_cholesky = _user_factor_posterior(
        score_model, entry_position, deviation / user_std
    )
    gaussian_term = np.full(len(model), score_model.constant_factor * user_factors[-1])
    gaussian_term[score_model.factor_position] = score_model.item_factors @ user_factors.astype(
        np.float32
    )
    many = n / (n + SCORE_COUNT_SHRINKAGE)
    knn_term *= (KNN_WEIGHT[0] + KNN_WEIGHT[1] * many) * user_std
    gaussian_term = (GAUSSIAN_WEIGHT[0] + GAUSSIAN_WEIGHT[1] * many) * (
        user_std * gaussian_term - user_bias
    )
    score = (
        model.global_mean
        + score_model.item_bias
        + user_bias
        + knn_term
        + gaussian_term
        + AFFINITY_WEIGHT * affinity.value
        + AFFINITY_OFFSET
    )
    return ScorePrediction(score, user_bias, knn_term, gaussian_term, user_std, precision_cholesky)


def expected_error(
    model: Model, prediction: ScorePrediction, positions: Int64Array
) -> Float64Array:
    """Standard deviation of the fan's score of each wanted anime around its prediction.

    That of the Gaussian part: what the list leaves open about the fan, and the noise of the anime.
    An anime outside it is as uncertain as the average one for a fan of whom nothing is known.
    """
    known = model.score_model.factor_row[positions]
    factor = model.score_model.item_factors[known].T.astype(np.float64)
    # Contiguous, so that a sum does not depend on how many are wanted.
    left_open = np.ascontiguousarray(kernels.solve_lower(prediction.precision_cholesky, factor).T)
    variance = np.einsum("kf,kf->k", left_open, left_open) + model.score_model.noise_variance[known]
    variance[known < 0] = model.score_model.prior_variance
    return np.asarray(prediction.user_std * np.sqrt(variance))


def _user_factor_posterior(
    score_model: ScoreModel, entry_position: Int64Array, observed: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Mean (f,) of the fan's factors given the entries y, and the root of their precision (f, f).

    By Woodbury the precision is I + V' D^-1 V = L L' and the mean solves it for V' D^-1 y, so a
    list of ten thousand entries costs little more than one of ten.
    """
    row = score_model.factor_row[entry_position]
    known = row >= 0
    weight = 1.0 / np.sqrt(score_model.noise_variance[row[known]])
    scaled = score_model.item_factors[row[known]] * weight[:, None].astype(np.float64)
    precision_cholesky = np.linalg.cholesky(np.eye(scaled.shape[1]) + scaled.T @ scaled)
    rhs = scaled.T @ (weight * observed[known])
    mean = kernels.solve_lower_transposed(
        precision_cholesky, kernels.solve_lower(precision_cholesky, rhs[:, None])
    )
    return mean[:, 0], precision_cholesky
