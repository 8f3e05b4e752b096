"""Predicted scores, sharper than KNN with baseline: three terms of a user's list, added up.

With x_j = r_j - mu - b_j the user's deviations, b_u = sum x / (reg + n), s the user's standard
deviation, z_j = (x_j - b_u) / s and t = n / (n + shrinkage):

    score_i = mu + b_i + b_u + (w + w' t) s knn_i + (v + v' t) (s g_i - b_u)
              + a affinity_i + c

- ``knn_i``: the neighbourhood of Koren (2010, section 2.2) in standard scores, its shrunk
  similarities raised to a power so that the nearest count most:
  sum w_ij z_j / (damping + sum w_ij).
- ``g_i``: anime are jointly Gaussian over users with covariance V V' + S + diag(noise); g is the
  conditional mean given x / s, which weighs the entries jointly (two seasons of one show count
  once) and gives an expected error as well. V holds what many anime have in common, its last column
  the user's bias; S, sparse, what only the closest do, as two seasons. How both are trained stands
  in `model_build.train.score_model`.
- ``affinity_i``: what users pick for themselves they score higher than the rest.

The Gaussian needs few scores, the neighbourhood many. All three are sums over the user's own
entries. The weights are the model's (`app.recommender.parameters.ServingParameters`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender import kernels
from app.recommender.affinity import AffinityScores
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model, ScoreModel

SOLUTION_TOLERANCE = 1e-4
MAX_SOLUTION_STEPS = 50


@dataclass(frozen=True, slots=True)
class ScorePrediction:
    """What a user's scores are predicted from, in points; a score only where it is asked for.

    ``other_terms`` (n,) are all but that of the Gaussian, added up; of these ``knn_term`` (n,) is
    what knn adds, and ``knn_support`` (n,) the sum of weights that knn rests on. g of the m anime
    that the Gaussian knows is their factors times ``user_factors`` (f,), plus ``close_mean`` (m,);
    ``gaussian_weight`` is v + v' t. ``precision_cholesky`` (f, f) is the lower Cholesky factor of
    the posterior precision of the user's factors.
    """

    score_model: ScoreModel
    other_terms: Float64Array
    user_bias: float
    user_std: float
    knn_term: Float64Array
    knn_support: Float64Array
    gaussian_weight: float
    user_factors: Float64Array
    close_mean: Float64Array
    precision_cholesky: Float64Array

    def gaussian_terms(self, positions: Int64Array) -> Float64Array:
        """What g adds to the score of some anime, (p,)."""
        known = self.score_model.factor_row[positions]
        mean = kernels.row_products(self.score_model.item_factors, known, self.user_factors)
        of_unknown = self.score_model.constant_factor * self.user_factors[-1]
        mean = np.where(known < 0, of_unknown, mean + self.close_mean[known])
        return np.asarray(self.gaussian_weight * (self.user_std * mean - self.user_bias))

    def scores(self, positions: Int64Array) -> Float64Array:
        """Predicted scores of some anime, (p,); each is the same whatever the others are."""
        return self.other_terms[positions] + self.gaussian_terms(positions)


def predict_scores(model: Model, profile: UserProfile, affinity: AffinityScores) -> ScorePrediction:
    """Work out what the user's score of every anime in the model is predicted from."""
    score_model, parameters = model.score_model, model.parameters
    deviation = profile.score - model.global_mean - score_model.item_bias[profile.rated]
    n = len(deviation)
    user_bias = float(deviation.sum() / (score_model.reg_user + n))
    within = deviation - user_bias
    squares = within @ within + score_model.score_std_weight * score_model.score_std**2
    user_std = float(np.sqrt(squares / (n + score_model.score_std_weight)))
    entry_position = np.concatenate([profile.rated, profile.dropped_unscored])
    deviation = np.concatenate(
        [deviation, np.full(len(profile.dropped_unscored), user_bias + parameters.dropped_residual)]
    )
    standard = (deviation - user_bias) / user_std

    matrix = model.powered_similarity
    numerator, total_weight = kernels.weight_and_deviation_sums(
        entry_position, standard, matrix.indptr, matrix.indices, matrix.data, len(model)
    )
    knn_term = numerator / (parameters.similarity_damping + total_weight)

    row = score_model.factor_row[entry_position].astype(np.int64)
    known = row >= 0
    weight, user_factors, precision_cholesky = _entry_weights(
        score_model, row[known], deviation[known] / user_std
    )
    close_mean = score_model.close_covariance.weighted_row_sum(
        row[known], weight, len(score_model.item_factors)
    )
    t = n / (n + parameters.score_count_shrinkage)
    knn_term *= (parameters.knn_weight + parameters.knn_weight_gain * t) * user_std
    other_terms = (
        model.global_mean
        + score_model.item_bias
        + user_bias
        + knn_term
        + parameters.score_affinity_weight * affinity.value / affinity.lift
        + parameters.score_offset
    )
    return ScorePrediction(
        score_model,
        other_terms,
        user_bias,
        user_std,
        knn_term,
        total_weight,
        parameters.gaussian_weight + parameters.gaussian_weight_gain * t,
        user_factors,
        close_mean,
        precision_cholesky,
    )


def expected_error(
    model: Model, prediction: ScorePrediction, positions: Int64Array
) -> Float64Array:
    """Return the standard deviation (k,) of the user's score of some anime around its prediction.

    That of the Gaussian: what the list leaves open about the user's factors, and the noise of the
    anime; what its closest on the list say is not counted. An anime outside it is as uncertain as
    the average one for a user of whom nothing is known.
    """
    known = model.score_model.factor_row[positions]
    factor = model.score_model.item_factors[known].T.astype(np.float64)
    # Contiguous, so that a sum does not depend on how many are wanted.
    left_open = np.ascontiguousarray(kernels.solve_lower(prediction.precision_cholesky, factor).T)
    variance = np.einsum("kf,kf->k", left_open, left_open) + model.score_model.noise_variance[known]
    variance[known < 0] = model.score_model.prior_variance
    return np.asarray(prediction.user_std * np.sqrt(variance))


def _entry_weights(
    score_model: ScoreModel, row: Int64Array, observed: Float64Array
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Weights w (k,) with (V V' + S + D) w = y, factors V' w, root of their precision (f, f).

    ``row`` (k,) are the entries' rows of V, ``observed`` their y. By Woodbury the precision is
    I + V' D^-1 V = L L', and V V' + D is solved through it: a list of ten thousand entries costs
    little more than one of ten. What S adds takes a few steps of conjugate gradients, for which
    that solution is the preconditioner; without S the first step is exact.
    """
    close, n_rows = score_model.close_covariance, len(score_model.item_factors)
    root = 1.0 / np.sqrt(score_model.noise_variance[row].astype(np.float64))
    factors = score_model.item_factors[row] * root[:, None]
    precision = np.eye(factors.shape[1]) + factors.T @ factors
    precision_cholesky = np.asarray(np.linalg.cholesky(precision), np.float64)
    upper = np.ascontiguousarray(precision_cholesky.T)

    def precondition(left: Float64Array) -> Float64Array:
        inner = kernels.solve_factorised(precision_cholesky, upper, left @ factors)
        return np.asarray(left - factors @ inner)

    def multiply_close(vector: Float64Array) -> Float64Array:
        of_close = close.weighted_row_sum(row, root * vector, n_rows)
        return np.asarray(root * of_close[row])

    left = root * observed
    solution, limit = np.zeros(len(row)), SOLUTION_TOLERANCE**2 * (left @ left)
    direction, image, before = np.zeros(len(row)), np.zeros(len(row)), 1.0
    for _ in range(MAX_SOLUTION_STEPS):
        if left @ left <= limit:
            break
        guess = precondition(left)
        now = float(left @ guess)
        direction = guess + now / before * direction
        # V V' + D of the guess is what is left, so only S has to be multiplied with.
        image = left + now / before * image
        whole = image + multiply_close(direction)
        step = now / (direction @ whole)
        solution += step * direction
        left = left - step * whole
        before = now
    return root * solution, solution @ factors, precision_cholesky
