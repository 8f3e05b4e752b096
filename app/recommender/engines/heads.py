"""Networks with frozen weights, and the fan's vector that fits a list best.

A head gives every anime a value for a fan's vector u (d,):

    linear      z_i = o_i + v_i'u
    rectified   z_i = o_i + w' relu(a_i + P u)

where a_i is what the anime's embedding adds to the hidden units. Training has turned the vectors so
that those of its fans have mean 0 and covariance I; a new fan's minimises

    1/2 sum_j c_j (y_j - z_j)^2  or  sum_j c_j BCE(y_j, sigmoid(z_j)),  plus  1/2 ridge u'u

over the entries j of the list. Gauss and Newton's steps do that, damped where one would go too far
(Levenberg and Marquardt): the first is the solution where a linear head is fitted to scores, a few
are where it bends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

STEPS = 20
TRIES = 12
LEAST_DAMPING = 0.01
CLOSE = 1e-7
"""A step that lowers the objective by a smaller share than this is the last."""
SMALL = 1e-6


class Head(Protocol):
    """Values of anime for a fan's vector, and how they change with it."""

    def values(self, fan: Floats, at: Positions | None = None) -> Floats:
        """z at positions, (k,); of all anime by default."""

    def slopes(self, fan: Floats, at: Positions) -> Floats:
        """dz/du at positions, (k, d)."""

    @property
    def size(self) -> int:
        """d."""


@dataclass(frozen=True, slots=True)
class Linear:
    """``offset`` (n,) float64 and ``item`` (n, d) float32."""

    offset: Floats
    item: Singles

    @property
    def size(self) -> int:
        return int(self.item.shape[1])

    def values(self, fan: Floats, at: Positions | None = None) -> Floats:
        if at is None:
            return np.asarray(self.offset + self.item @ fan.astype(np.float32))
        return np.asarray(self.offset[at] + self.item[at].astype(np.float64) @ fan)

    def slopes(self, fan: Floats, at: Positions) -> Floats:  # noqa: ARG002 - the same everywhere
        return self.item[at].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Rectified:
    """``offset`` (n,), ``base`` (n, h) float32, ``project`` (h, d) and ``out`` (h,)."""

    offset: Floats
    base: Singles
    project: Floats
    out: Floats

    @property
    def size(self) -> int:
        return int(self.project.shape[1])

    def values(self, fan: Floats, at: Positions | None = None) -> Floats:
        moved = self.project @ fan
        if at is None:
            hidden = self.base + moved.astype(np.float32)
            np.maximum(hidden, 0, out=hidden)
            return np.asarray(self.offset + hidden @ self.out.astype(np.float32))
        return np.asarray(self.offset[at] + np.maximum(self.base[at] + moved, 0) @ self.out)

    def slopes(self, fan: Floats, at: Positions) -> Floats:
        active = self.base[at] + self.project @ fan > 0
        return np.asarray((active * self.out) @ self.project)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a list says to one head: ``target`` (k,) at ``position``, each counting ``weight``.

    ``level`` is added to the head's values. A target of a ``logistic`` head is 0 to 1.
    """

    head: Head
    position: Positions
    target: Floats
    level: float
    weight: float
    logistic: bool

    def values(self, fan: Floats) -> Floats:
        return self.level + self.head.values(fan, self.position)

    def loss(self, fan: Floats) -> float:
        value = self.values(fan)
        if self.logistic:
            return self.weight * float((np.logaddexp(0, value) - self.target * value).sum())
        return self.weight * 0.5 * float(((self.target - value) ** 2).sum())

    def pull(self, fan: Floats) -> tuple[Floats, Floats, Floats]:
        """Slopes (k, d), curvatures (k,) and how far each target pulls (k,), all weighted."""
        value, slopes = self.values(fan), self.head.slopes(fan, self.position)
        if self.logistic:
            chance = sigmoid(value)
            curve, off = chance * (1 - chance), self.target - chance
        else:
            curve, off = np.ones(len(value)), self.target - value
        return slopes, self.weight * curve, self.weight * off


@dataclass(frozen=True, slots=True)
class Folded:
    """A fan's vector (d,), and what it was made of.

    The vector is H^-1 times the sum of the ``terms``; ``terms`` has an array (k, d) for each
    evidence, ``curvature`` (d, d) is H.
    """

    fan: Floats
    curvature: Floats
    terms: tuple[Floats, ...]


def fold(evidence: Sequence[Evidence], ridge: float, *, steps: int = STEPS) -> Folded:
    """The vector that fits all evidence best; zeros if there is none."""
    size = evidence[0].head.size
    fan = np.zeros(size)

    def objective(at: Floats) -> float:
        return sum(part.loss(at) for part in evidence) + 0.5 * ridge * float(at @ at)

    now, damping = objective(fan), 0.0
    for _ in range(steps):
        curvature, gradient = ridge * np.eye(size), -ridge * fan
        for part in evidence:
            slopes, curve, off = part.pull(fan)
            curvature += (slopes.T * curve) @ slopes
            gradient += off @ slopes
        for _ in range(TRIES):
            scale = damping * np.diag(np.diag(curvature))
            after_fan = fan + np.linalg.solve(curvature + scale, gradient)
            after = objective(after_fan)
            if after <= now:
                break
            damping = max(LEAST_DAMPING, 4.0 * damping)
        else:
            break
        gained, fan, now = now - after, after_fan, after
        damping *= 0.25
        if gained <= CLOSE * abs(now):
            break
    return _told(evidence, fan, ridge)


def _told(evidence: Sequence[Evidence], fan: Floats, ridge: float) -> Folded:
    """At the minimum H u is the sum over entries of slope (curve slope'u + off)."""
    curvature, terms = ridge * np.eye(len(fan)), []
    for part in evidence:
        slopes, curve, off = part.pull(fan)
        curvature += (slopes.T * curve) @ slopes
        terms.append(slopes * (curve * (slopes @ fan) + off)[:, None])
    return Folded(fan, curvature, tuple(terms))


def sigmoid(value: Floats) -> Floats:
    """1 / (1 + exp(-z)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * value)))


def steepness(before: Floats, after: Floats) -> Floats:
    """How much the chance moves for each unit that the logit moves, from one logit to another."""
    moved, chance = after - before, sigmoid(after)
    far = np.abs(moved) > SMALL
    mean = (chance - sigmoid(before)) / np.where(far, moved, 1.0)
    return np.asarray(np.where(far, mean, chance * (1.0 - chance)))
