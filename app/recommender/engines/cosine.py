"""Cosine embeddings: a fan and an anime are as near as the angle between their vectors.

    score_i = mu + b_i + b_u + RANGE (sigmoid(w u'v_i + c) - 1/2)

with v_i of length 1. Training takes the scores' residuals, scaled to 0..1, for chances. A new fan's
u is the solution of one weighted least-squares problem: targets logit(y_j), weighted by y_j (1 -
y_j), and the vectors of the fans trained on as the prior. It is no longer than 1, and shorter where
the list says little: the mean of the directions that are still likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from app.recommender.arrays import Arrays
from app.recommender.engines.base import Floats, Judged, Positions
from app.recommender.engines.baseline import Baseline
from app.recommender.engines.heads import sigmoid
from app.recommender.listed import Known

PERCENT = 100.0
LOWEST, HIGHEST = 1.0, 10.0
RANGE = 10.0
"""Residuals from -5 to 5 are scaled to 0..1."""
EDGE = 0.02
"""Scaled residuals are kept this far from 0 and 1: their logits are finite."""


def scaled(residual: Floats) -> Floats:
    """Residuals as targets from 0 to 1."""
    return np.asarray(np.clip(residual / RANGE + 0.5, 0.0, 1.0))


@dataclass(frozen=True)
class Cosine:
    """``embedding`` (n, d) float32, rows of length 1 where known.

    ``slope`` and ``offset`` are w and c; ``fan_mean`` (d,) and ``fan_precision`` (d, d) the prior
    of a fan's vector, ``ridge`` how strongly it holds. ``error`` is a standard deviation.
    """

    name: ClassVar[str] = "cosine"

    baseline: Baseline
    embedding: npt.NDArray[np.float32]
    slope: float
    offset: float
    fan_mean: Floats
    fan_precision: Floats
    ridge: float
    known: npt.NDArray[np.bool_]
    error: float

    @classmethod
    def of(cls, arrays: Arrays, n: int) -> Self | None:
        """From the arrays and numbers ``cosine_*``, None if there are none."""
        if "cosine_embedding" not in arrays:
            return None
        embedding = arrays.table("cosine_embedding", n)
        size = embedding.shape[1]
        return cls(
            Baseline.of(arrays, cls.name, n),
            embedding,
            arrays.number("cosine_slope"),
            arrays.number("cosine_offset"),
            arrays.vector("cosine_fan_mean", np.float64, size),
            arrays.table("cosine_fan_precision", size, size).astype(np.float64),
            arrays.number("cosine_ridge", least=0),
            np.asarray(embedding.any(axis=1)),
            arrays.number("cosine_error", least=0),
        )

    def judge(self, known: Known) -> Judged:
        """The match is the predicted score as a share of the way from 1 to 10."""
        fan, system, terms, told = self.fold(known)
        level = self.baseline.scored(known)[2]
        near = (self.embedding @ fan.astype(np.float32)).astype(np.float64)
        steep, score = self._scores(near, level)
        percent = PERCENT / (HIGHEST - LOWEST)

        def shares(wanted: Positions) -> Floats:
            share = np.zeros((len(wanted), len(known.position)))
            towards = np.linalg.solve(system, self.embedding[wanted].T.astype(np.float64))
            share[:, told] = (terms @ towards).T
            return percent * steep[wanted, None] * share

        return Judged(percent * (score - LOWEST), self.known, shares, score, self.error)

    def fold(self, known: Known) -> tuple[Floats, Floats, Floats, npt.NDArray[np.bool_]]:
        """The fan's vector (d,), the system A (d, d), and a term (entries told, d) each.

        The vector is A^-1 (prior + sum of the terms), scaled down to a length of 1 if longer; A and
        the terms are such that this still holds.
        """
        told, residual, _ = self.baseline.scored(known)
        listed = self.embedding[known.position[told]].astype(np.float64)
        target = np.clip(scaled(residual), EDGE, 1.0 - EDGE)
        weight = self.slope**2 * target * (1.0 - target)
        wanted = (np.log(target / (1.0 - target)) - self.offset) / self.slope
        system = self.ridge * self.fan_precision + (listed.T * weight) @ listed
        terms = listed * (weight * wanted)[:, None]
        prior = self.ridge * self.fan_precision @ self.fan_mean
        fan = np.linalg.solve(system, prior + terms.sum(axis=0))
        long = max(1.0, float(np.linalg.norm(fan)))
        return fan / long, system * long, terms, told

    def vector(self, known: Known) -> Floats:
        """The fan's own, no longer than 1."""
        return self.fold(known)[0]

    def score_at(self, known: Known, position: Positions) -> Floats:
        """Predicted scores of some anime."""
        fan = self.fold(known)[0]
        level = self.baseline.scored(known)[2]
        near = self.embedding[position].astype(np.float64) @ fan
        chance = sigmoid(self.slope * near + self.offset)
        expected = self.baseline.mean + self.baseline.item_bias[position] + level
        return np.asarray(expected + RANGE * (chance - 0.5))

    def _scores(self, near: Floats, level: float) -> tuple[Floats, Floats]:
        """How much a score changes with the cosine, (n,), and the scores."""
        chance = sigmoid(self.slope * near + self.offset)
        score = self.baseline.mean + self.baseline.item_bias + level + RANGE * (chance - 0.5)
        return RANGE * self.slope * chance * (1.0 - chance), score
