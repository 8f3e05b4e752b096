"""A Gaussian process over embeddings (deep kernel): attention that is solved for, not learned.

A fan's scores are mu + b_i + f_i, f Gaussian with mean 0 and the covariance

    k(i, j) = level + a_i'a_j + s_i s_j exp(sharpness (u_i'u_j - 1))

of a level, of factors a and of embeddings u of length 1. The last term is an attention that fades
within a franchise or a genre, and is of full rank. A list is folded in by one solution:

    f = K_all,list (K_list,list + noise)^-1 (score - mu - b),

so every prediction is a weighted sum of what the scores on the list are above expectation, and two
entries that say the same share one weight. How likely a fan likes an anime is
sigmoid(slope (predicted score - 5.5) + o_i). How it is trained stands in `model_build.engines`.

Sources: Lawrence and Urtasun 2009, Wilson and others 2016, Kim and others 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from app.recommender.arrays import Arrays
from app.recommender.engines.base import Floats, Judged, Positions
from app.recommender.engines.heads import sigmoid, steepness
from app.recommender.engines.interactions import LIKED_ABOVE
from app.recommender.listed import Known
from app.recommender.status import Status

PERCENT = 100.0
LIKED_FROM = LIKED_ABOVE + 0.5
MOST_ENTRIES = 1500
"""Of a longer list, those entries are folded in that tell most: the time grows with the cube."""
CHUNK = 512
"""Anime at a time: the block of attentions stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A list, solved for: entries ``told`` of it (k,) stand at ``at`` (k,).

    ``residual`` (k,) is what their scores are above expectation, ``system`` (k, k) their covariance
    with noise, ``weight`` (k,) its solution.
    """

    told: Positions
    at: Positions
    residual: Floats
    system: Floats
    weight: Floats


@dataclass(frozen=True)
class Kernel:
    """``embedding`` (n, d) float32, rows of length 1 where known, ``factor`` (n, f) float32.

    ``scale``, ``noise`` (variances), ``item_bias`` and ``offset`` are (n,) float64; ``error`` is a
    standard deviation.
    """

    name: ClassVar[str] = "kernel"

    mean: float
    item_bias: Floats
    embedding: npt.NDArray[np.float32]
    factor: npt.NDArray[np.float32]
    scale: Floats
    noise: Floats
    level: float
    sharpness: float
    offset: Floats
    slope: float
    known: npt.NDArray[np.bool_]
    error: float

    @classmethod
    def of(cls, arrays: Arrays, n: int) -> Self | None:
        """From the arrays and numbers ``kernel_*``, None if there are none."""
        if "kernel_embedding" not in arrays:
            return None
        embedding = arrays.table("kernel_embedding", n)
        bias, scale, noise, offset = (
            arrays.vector(f"kernel_{side}", np.float64, n)
            for side in ("item_bias", "scale", "noise", "offset")
        )
        return cls(
            arrays.number("kernel_mean"),
            bias,
            embedding,
            arrays.table("kernel_factor", n),
            scale,
            noise,
            arrays.number("kernel_level", least=0),
            arrays.number("kernel_sharpness", least=0),
            offset,
            arrays.number("kernel_slope"),
            np.asarray(embedding.any(axis=1)),
            arrays.number("kernel_error", least=0),
        )

    def judge(self, known: Known) -> Judged:
        """Fold a list in and judge every anime: the match is the chance that it is liked."""
        folded = self.fold(known)
        score = self.mean + self.item_bias + self.above(folded)
        logit = self.logit(score)

        def shares(wanted: Positions) -> Floats:
            share = np.zeros((len(wanted), len(known.position)))
            towards = np.linalg.solve(folded.system, self.covariance(folded.at, wanted))
            share[:, folded.told] = towards.T * folded.residual
            moved = self.slope * share.sum(axis=1)
            steep = steepness(logit[wanted] - moved, logit[wanted])
            return np.asarray(PERCENT * self.slope * steep[:, None] * share)

        return Judged(PERCENT * sigmoid(logit), self.known, shares, score, self.error)

    def fold(self, known: Known) -> Folded:
        """Solve for the weights of the entries that tell a score."""
        scored = (known.score > 0) & (known.status != Status.PLAN_TO_WATCH)
        told = np.flatnonzero(scored & self.known[known.position])
        if len(told) > MOST_ENTRIES:
            at = known.position[told]
            telling = self.scale[at] ** 2 / self.noise[at]
            told = np.sort(told[np.argsort(-telling, kind="stable")[:MOST_ENTRIES]])
        at = known.position[told]
        residual = known.score[told] - self.mean - self.item_bias[at]
        system = self.covariance(at, at) + np.diag(self.noise[at])
        weight = np.asarray(np.linalg.solve(system, residual), np.float64)
        return Folded(told, at, residual, system, weight)

    def above(self, folded: Folded) -> Floats:
        """f, by how much the fan's score of every anime is above mu + b_i, (n,)."""
        weight = folded.weight.astype(np.float32)
        shared = self.level * folded.weight.sum() + self.factor @ (
            self.factor[folded.at].T @ weight
        )
        own = np.empty(len(self.scale), np.float32)
        listed = self.sharpness * self.embedding[folded.at].T
        pull = self.scale[folded.at].astype(np.float32) * weight
        for start in range(0, len(own), CHUNK):
            near = self.embedding[start : start + CHUNK] @ listed.astype(np.float32)
            near -= np.float32(self.sharpness)
            np.exp(near, out=near)
            own[start : start + CHUNK] = near @ pull
        return np.asarray(shared + self.scale * own, np.float64)

    def covariance(self, one: Positions, other: Positions) -> Floats:
        """k of some anime with others, (one, other)."""
        u, v = (self.embedding[at].astype(np.float64) for at in (one, other))
        a, b = (self.factor[at].astype(np.float64) for at in (one, other))
        near = np.exp(self.sharpness * (u @ v.T - 1.0))
        return np.asarray(
            self.level + a @ b.T + self.scale[one, None] * self.scale[other] * near, np.float64
        )

    def score_at(self, known: Known, position: Positions) -> Floats:
        """Predicted scores of some anime."""
        folded = self.fold(known)
        above = self.covariance(position, folded.at) @ folded.weight
        return np.asarray(self.mean + self.item_bias[position] + above)

    def logit(self, score: Floats, at: Positions | None = None) -> Floats:
        """Of the chance that an anime with this predicted score is liked."""
        offset = self.offset if at is None else self.offset[at]
        return np.asarray(self.slope * (score - LIKED_FROM) + offset)

    def vector(self, known: Known) -> Floats:
        """What the list says about the fan's weights on the factors: their mean."""
        folded = self.fold(known)
        return np.asarray(self.factor[folded.at].T.astype(np.float64) @ folded.weight)
