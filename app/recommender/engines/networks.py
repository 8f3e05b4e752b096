"""Engines from embeddings: matrix factorization, a network (MLP), and one network for two tasks.

Each predicts scores on top of the baseline, r_i = mu + b_i + b_u + z_i, and how likely a fan who
starts an anime likes it, sigmoid(z_i + s b_u). Both are asked of one vector of the fan (`Hybrid`),
or of one each (`Factors`, `Perceptron`); `heads` finds it. How they are trained stands in
`model_build.engines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from app.recommender.arrays import Arrays
from app.recommender.engines.base import Floats, Judged, Positions
from app.recommender.engines.baseline import Baseline
from app.recommender.engines.heads import (
    Evidence,
    Folded,
    Head,
    Linear,
    Rectified,
    fold,
    sigmoid,
    steepness,
)
from app.recommender.engines.interactions import liked
from app.recommender.listed import Known

PERCENT = 100.0


def told_scores(baseline: Baseline, head: Head, known: Known, weight: float = 1.0) -> Evidence:
    """What the scores of a list say."""
    told, residual, _ = baseline.scored(known)
    at = known.position[told]
    return Evidence(head, at, residual, 0.0, weight, logistic=False)


def told_labels(head: Head, known: Known, level: float, weight: float = 1.0) -> Evidence:
    """What a list says of what was liked; ``level`` is the fan's part of the logit."""
    label = liked(known.score, known.status)
    judged = label >= 0
    target = label[judged].astype(np.float64)
    return Evidence(head, known.position[judged], target, level, weight, logistic=True)


@dataclass(frozen=True)
class Network:
    """Two heads over the model's anime, and what their vectors are found with.

    ``ridges`` is how strongly each vector is held to that of the average fan. With ``shared`` one
    vector answers to both heads, scores weighing ``weights[0]`` and interactions ``weights[1]``.
    ``level_share`` is s; ``known`` (n,) the anime that training saw; ``embedding`` (n, e) float32,
    rows of length 1 where known, is what anime are alike by. ``error`` is a standard deviation.
    """

    name: ClassVar[str]
    rectified: ClassVar[bool]
    shared: ClassVar[bool]

    baseline: Baseline
    rating: Head
    interaction: Head
    level_share: float
    ridges: tuple[float, float]
    weights: tuple[float, float]
    known: npt.NDArray[np.bool_]
    embedding: npt.NDArray[np.float32]
    error: float

    @classmethod
    def of(cls, arrays: Arrays, n: int) -> Self | None:
        """From the arrays and numbers ``NAME_*``, None if there are none."""
        if f"{cls.name}_embedding" not in arrays:
            return None
        embedding = arrays.table(f"{cls.name}_embedding", n)
        rating, interaction = (
            _head(arrays, cls.name, side, n, rectified=cls.rectified, shared=cls.shared)
            for side in ("rating", "interaction")
        )
        return cls(
            Baseline.of(arrays, cls.name, n),
            rating,
            interaction,
            arrays.number(f"{cls.name}_level_share"),
            _pair(arrays, f"{cls.name}_ridge"),
            _pair(arrays, f"{cls.name}_weight"),
            np.asarray(embedding.any(axis=1)),
            embedding,
            arrays.number(f"{cls.name}_error", least=0),
        )

    def judge(self, known: Known) -> Judged:
        """Fold a list in and judge every anime."""
        (by_rating, by_interaction), level = self.fold(known)
        logit = self.interaction.values(by_interaction.fan) + self.level_share * level
        score = self.baseline.mean + self.baseline.item_bias + level
        score = score + self.rating.values(by_rating.fan)

        def shares(wanted: Positions) -> Floats:
            return self._shares(known, by_interaction, logit, wanted)

        return Judged(PERCENT * sigmoid(logit), self.known, shares, score, self.error)

    def fold(self, known: Known) -> tuple[tuple[Folded, Folded], float]:
        """The fan for either head (the same if shared), and the fan's level."""
        weights = self.weights if self.shared else (1.0, 1.0)
        level = self.baseline.scored(known)[2]
        scores = told_scores(self.baseline, self.rating, known, weights[0])
        labels = told_labels(self.interaction, known, self.level_share * level, weights[1])
        if self.shared:
            fan = fold([scores, labels], self.ridges[0])
            return (fan, fan), level
        return (fold([scores], self.ridges[0]), fold([labels], self.ridges[1])), level

    def vector(self, known: Known) -> Floats:
        """That which scores are predicted with."""
        return self.fold(known)[0][0].fan

    def _shares(self, known: Known, folded: Folded, logit: Floats, wanted: Positions) -> Floats:
        """What each entry adds to the logit, in percent of the match as the whole list moves it.

        The logit is linear in the vector as long as no hidden unit turns on or off, and the vector
        is a sum over entries; a match is spread over them in the same proportions.
        """
        told, _, _ = self.baseline.scored(known)
        label = liked(known.score, known.status) >= 0
        masks = [told, label] if self.shared else [label]
        slopes = self.interaction.slopes(folded.fan, wanted)
        towards = np.linalg.solve(folded.curvature, slopes.T)
        share = np.zeros((len(wanted), len(known.position)))
        for mask, terms in zip(masks, folded.terms, strict=True):
            share[:, mask] += (terms @ towards).T
        moved = share.sum(axis=1)
        steep = steepness(logit[wanted] - moved, logit[wanted])
        return np.asarray(PERCENT * steep[:, None] * share)


def _pair(arrays: Arrays, name: str) -> tuple[float, float]:
    return arrays.number(f"{name}_rating", least=0), arrays.number(f"{name}_interaction", least=0)


def _head(arrays: Arrays, name: str, side: str, n: int, *, rectified: bool, shared: bool) -> Head:
    offset = arrays.vector(f"{name}_{side}_offset", np.float64, n)
    if not rectified:
        return Linear(offset, arrays.table(f"{name}_{side}_item", n))
    trunk = f"{name}_trunk" if shared else f"{name}_{side}"
    base = arrays.table(f"{trunk}_base", n)
    hidden = base.shape[1]
    project = arrays.table(f"{trunk}_project", hidden).astype(np.float64)
    out = arrays.vector(f"{name}_{side}_out", np.float64, hidden)
    return Rectified(offset, base, project, out)


class Factors(Network):
    """Matrix factorization: a dot product, a vector for scores and one for interactions."""

    name, rectified, shared = "mf", False, False


class Perceptron(Network):
    """One hidden layer over both embeddings, a network for scores and one for interactions."""

    name, rectified, shared = "mlp", True, False


class Hybrid(Network):
    """One hidden layer over both embeddings, and a head for either task."""

    name, rectified, shared = "hybrid", True, True
