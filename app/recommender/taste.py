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
  (`model_build.taste`); its last column is the fan's level.
- ``affinity_i``: what fans pick for themselves they score higher than the rest.

The joint view needs few scores, the neighbourhood many. All three are sums over the fan's own
entries. The numbers in the formula were fitted on held-out fans (`docs/model.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recommender import kernels
from app.recommender.affinity import Affinity
from app.recommender.fold_in import DROPPED_RESIDUAL, Visitor
from app.recommender.model import Model, TasteModel

NEAREST_SHARE = (0.25, 0.57)
JOINT_SHARE = (0.69, -0.39)
MANY_SCORES = 100.0
AFFINITY_SHARE = 0.41
AFFINITY_OFFSET = -0.15
DAMPING = 0.005


@dataclass(frozen=True, slots=True)
class Taste:
    """``score`` (n,) for every anime, and what it was made of, in points.

    ``level`` is the fan's, ``nearest`` and ``joint`` (n,) are what knn and g add.
    ``precision_root`` (f, f) is the lower Cholesky factor of what is known of the fan's factors.
    """

    score: npt.NDArray[np.float64]
    level: float
    nearest: npt.NDArray[np.float64]
    joint: npt.NDArray[np.float64]
    spread: float
    precision_root: npt.NDArray[np.float64]


def predict_taste(model: Model, visitor: Visitor, affinity: Affinity) -> Taste:
    """Predict the visitor's score of every anime in the model."""
    taste = model.taste
    deviation = visitor.score - model.mean - taste.item_bias[visitor.rated]
    n = len(deviation)
    level = float(deviation.sum() / (taste.reg_user + n))
    within = deviation - level
    squares = within @ within + taste.spread_weight * taste.spread**2
    spread = float(np.sqrt(squares / (n + taste.spread_weight)))
    source = np.concatenate([visitor.rated, visitor.dropped])
    deviation = np.concatenate([deviation, np.full(len(visitor.dropped), level + DROPPED_RESIDUAL)])
    standard = (deviation - level) / spread

    matrix = taste.similarity
    numerator, total_weight = kernels.sharpened_sums(
        source, standard, matrix.start, matrix.target, matrix.value, matrix.scale, len(model)
    )
    nearest = numerator / (DAMPING + total_weight)

    fan, precision_root = _factors_of(taste, source, deviation / spread)
    joint = np.full(len(model), taste.level_factor * fan[-1])
    joint[taste.position] = taste.factor @ fan.astype(np.float32)
    many = n / (n + MANY_SCORES)
    nearest *= (NEAREST_SHARE[0] + NEAREST_SHARE[1] * many) * spread
    joint = (JOINT_SHARE[0] + JOINT_SHARE[1] * many) * (spread * joint - level)
    score = (
        model.mean
        + taste.item_bias
        + level
        + nearest
        + joint
        + AFFINITY_SHARE * affinity.value
        + AFFINITY_OFFSET
    )
    return Taste(score, level, nearest, joint, spread, precision_root)


def expected_error(
    model: Model, taste: Taste, wanted: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Standard deviation of the fan's score of each wanted anime around its prediction.

    That of the Gaussian part: what the list leaves open about the fan, and the noise of the anime.
    An anime outside it is as uncertain as the average one for a fan of whom nothing is known.
    """
    known = model.taste.row[wanted]
    factor = model.taste.factor[known].T.astype(np.float64)
    # Contiguous, so that a sum does not depend on how many are wanted.
    left_open = np.ascontiguousarray(kernels.solve_lower(taste.precision_root, factor).T)
    variance = np.einsum("kf,kf->k", left_open, left_open) + model.taste.noise[known]
    variance[known < 0] = model.taste.mean_variance
    return np.asarray(taste.spread * np.sqrt(variance))


def _factors_of(
    taste: TasteModel, source: npt.NDArray[np.int64], observed: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean (f,) of the fan's factors given the entries y, and the root of their precision (f, f).

    By Woodbury the precision is I + V' D^-1 V = L L' and the mean solves it for V' D^-1 y, so a
    list of ten thousand entries costs little more than one of ten.
    """
    row = taste.row[source]
    known = row >= 0
    weight = 1.0 / np.sqrt(taste.noise[row[known]])
    scaled = taste.factor[row[known]] * weight[:, None].astype(np.float64)
    root = np.linalg.cholesky(np.eye(scaled.shape[1]) + scaled.T @ scaled)
    right = scaled.T @ (weight * observed[known])
    mean = kernels.solve_lower_transposed(root, kernels.solve_lower(root, right[:, None]))
    return mean[:, 0], root
