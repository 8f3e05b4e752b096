"""Networks with frozen weights, and the user's vector that fits a list best.

A head gives every anime a value for a user's vector u (d,):

    linear   z_i = o_i + v_i'u
    ReLU     z_i = o_i + w' relu(a_i + P u)

where a_i is what the anime's embedding adds to the hidden units. Training has whitened the vectors:
those of its users have mean 0 and covariance I; a new user's minimises

    1/2 sum_j c_j (y_j - z_j)^2  or  sum_j c_j BCE(y_j, sigmoid(z_j)),  plus  1/2 ridge u'u

over the entries j of the list, by Gauss-Newton steps, damped where one would go too far (Levenberg
and Marquardt): the first is exact where a linear head is fitted to scores, a few suffice elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.recommender.array_types import Float32Array, Float64Array, Int64Array

MAX_STEPS = 20
MAX_DAMPING_TRIES = 12
MIN_DAMPING = 0.01
CONVERGENCE_TOLERANCE = 1e-7
"""A step that lowers the objective by a smaller share than this is the last."""
MIN_LOGIT_CHANGE = 1e-6


class PredictionHead(Protocol):
    """Values of anime for a user's vector, and how they change with it."""

    def predict(
        self, user_vector: Float64Array, positions: Int64Array | None = None
    ) -> Float64Array:
        """Return z at positions, (k,); of all anime by default."""

    def user_jacobian(self, user_vector: Float64Array, positions: Int64Array) -> Float64Array:
        """Return dz/du at positions, (k, d)."""

    @property
    def dim(self) -> int:
        """The length d of u."""


@dataclass(frozen=True, slots=True)
class LinearHead:
    """``offset`` (n,) float64 and ``item_vectors`` (n, d) float32."""

    offset: Float64Array
    item_vectors: Float32Array

    @property
    def dim(self) -> int:
        """The length d of u."""
        return int(self.item_vectors.shape[1])

    def predict(
        self, user_vector: Float64Array, positions: Int64Array | None = None
    ) -> Float64Array:
        """Return z at positions, (k,); of all anime by default."""
        if positions is None:
            return np.asarray(self.offset + self.item_vectors @ user_vector.astype(np.float32))
        return np.asarray(
            self.offset[positions] + self.item_vectors[positions].astype(np.float64) @ user_vector
        )

    def user_jacobian(self, user_vector: Float64Array, positions: Int64Array) -> Float64Array:  # noqa: ARG002 - the same everywhere
        """Return dz/du at positions, (k, d)."""
        return self.item_vectors[positions].astype(np.float64)


@dataclass(frozen=True, slots=True)
class ReluHead:
    """``offset`` (n,), ``base`` (n, h) float32, ``project`` (h, d) and ``out`` (h,)."""

    offset: Float64Array
    hidden_bias: Float32Array
    projection: Float64Array
    output_weight: Float64Array

    @property
    def dim(self) -> int:
        """The length d of u."""
        return int(self.projection.shape[1])

    def predict(
        self, user_vector: Float64Array, positions: Int64Array | None = None
    ) -> Float64Array:
        """Return z at positions, (k,); of all anime by default."""
        hidden_shift = self.projection @ user_vector
        if positions is None:
            hidden = self.hidden_bias + hidden_shift.astype(np.float32)
            np.maximum(hidden, 0, out=hidden)
            return np.asarray(self.offset + hidden @ self.output_weight.astype(np.float32))
        return np.asarray(
            self.offset[positions]
            + np.maximum(self.hidden_bias[positions] + hidden_shift, 0) @ self.output_weight
        )

    def user_jacobian(self, user_vector: Float64Array, positions: Int64Array) -> Float64Array:
        """Return dz/du at positions, (k, d)."""
        active = self.hidden_bias[positions] + self.projection @ user_vector > 0
        return np.asarray((active * self.output_weight) @ self.projection)


@dataclass(frozen=True, slots=True)
class LabelBlock:
    """Labels of a list for one head: ``target`` (k,) at ``position`` (k,), of ``weight`` each.

    ``value_offset`` is added to the head's values. With ``is_logistic`` a target is 0 to 1.
    """

    head: PredictionHead
    position: Int64Array
    target: Float64Array
    value_offset: float
    weight: float
    is_logistic: bool

    def predict(self, user_vector: Float64Array) -> Float64Array:
        """Return the head's values for the labels, (k,)."""
        return self.value_offset + self.head.predict(user_vector, self.position)

    def loss(self, user_vector: Float64Array) -> float:
        """Return the weighted loss of the labels for a vector (f,): half squares, or log-losses."""
        value = self.predict(user_vector)
        if self.is_logistic:
            return self.weight * float((np.logaddexp(0, value) - self.target * value).sum())
        return self.weight * 0.5 * float(((self.target - value) ** 2).sum())

    def gradients(
        self, user_vector: Float64Array
    ) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Jacobian (k, d), curvatures (k,) and residuals (k,), the last two weighted."""
        value, slopes = (
            self.predict(user_vector),
            self.head.user_jacobian(user_vector, self.position),
        )
        if self.is_logistic:
            probability = sigmoid(value)
            curvature, residual = probability * (1 - probability), self.target - probability
        else:
            curvature, residual = np.ones(len(value)), self.target - value
        return slopes, self.weight * curvature, self.weight * residual


@dataclass(frozen=True, slots=True)
class UserVectorFit:
    """A user's vector (d,), and what it was made of.

    The vector is H^-1 times the sum of the ``entry_terms``, an array (k, d) for each block;
    ``hessian`` (d, d) is H.
    """

    user_vector: Float64Array
    hessian: Float64Array
    entry_terms: tuple[Float64Array, ...]


def fit_user_vector(
    blocks: Sequence[LabelBlock], ridge: float, *, max_steps: int = MAX_STEPS
) -> UserVectorFit:
    """Return the vector that fits all blocks best; zeros if there are no labels."""
    size = blocks[0].head.dim
    user_vector = np.zeros(size)

    def objective(at: Float64Array) -> float:
        return sum(block.loss(at) for block in blocks) + 0.5 * ridge * float(at @ at)

    objective_value, damping = objective(user_vector), 0.0
    for _ in range(max_steps):
        curvature, gradient = ridge * np.eye(size), -ridge * user_vector
        for block in blocks:
            jacobian, curve, residual = block.gradients(user_vector)
            curvature += (jacobian.T * curve) @ jacobian
            gradient += residual @ jacobian
        for _ in range(MAX_DAMPING_TRIES):
            scale = damping * np.diag(np.diag(curvature))
            candidate = user_vector + np.linalg.solve(curvature + scale, gradient)
            candidate_value = objective(candidate)
            if candidate_value <= objective_value:
                break
            damping = max(MIN_DAMPING, 4.0 * damping)
        else:
            break
        improvement, user_vector, objective_value = (
            objective_value - candidate_value,
            candidate,
            candidate_value,
        )
        damping *= 0.25
        if improvement <= CONVERGENCE_TOLERANCE * abs(objective_value):
            break
    return _fit_at_minimum(blocks, user_vector, ridge)


def _fit_at_minimum(
    blocks: Sequence[LabelBlock], user_vector: Float64Array, ridge: float
) -> UserVectorFit:
    """At the minimum H u is the sum over entries of slope (curve slope'u + off)."""
    hessian, entry_terms = ridge * np.eye(len(user_vector)), []
    for block in blocks:
        jacobian, curve, residual = block.gradients(user_vector)
        hessian += (jacobian.T * curve) @ jacobian
        entry_terms.append(jacobian * (curve * (jacobian @ user_vector) + residual)[:, None])
    return UserVectorFit(user_vector, hessian, tuple(entry_terms))


def sigmoid(value: Float64Array) -> Float64Array:
    """1 / (1 + exp(-z)) of any shape (...,), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * value)))


def sigmoid_secant_slope(before: Float64Array, after: Float64Array) -> Float64Array:
    """By how much a chance moves for each unit that its logit moves, (k,), from one to another."""
    change, chance = after - before, sigmoid(after)
    is_large = np.abs(change) > MIN_LOGIT_CHANGE
    mean = (chance - sigmoid(before)) / np.where(is_large, change, 1.0)
    return np.asarray(np.where(is_large, mean, chance * (1.0 - chance)))
