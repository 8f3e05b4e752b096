"""ALS for implicit feedback (Hu, Koren and Volinsky 2008): a list is what a fan did, not scores.

Every entry has a strength r, of what became of it (completed, dropped, ...) and whether it is a
favourite, and a confidence c = alpha r. With the anime's factors Y (n, f) fixed, the fan's factors
are one exact least-squares solution,

    x = A^-1 sum_j c_j y_j,   A = Y'Y + reg I + sum_j (c_j - 1) y_j y_j'

and the preference for anime i is x'y_i, 1 for what is surely on the list and 0 for what is not. It
is a sum over the list: entry j adds c_j y_i' A^-1 y_j.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from app.recommender.arrays import Arrays
from app.recommender.engines.base import Floats, Judged, Positions
from app.recommender.listed import Known
from app.recommender.status import Status

PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Strengths:
    """How strongly an entry says that a fan chose an anime; a favourite's is added to its own."""

    completed: float = 6.0
    favourite: float = 5.0
    watching: float = 4.0
    planned: float = 3.0
    on_hold: float = 2.0
    dropped: float = 1.0

    def of(
        self, status: npt.NDArray[np.int8], favourite: npt.NDArray[np.bool_] | None = None
    ) -> Floats:
        """The strength of each entry; one of unknown status counts as completed."""
        by_status = np.full(int(max(Status)) + 1, self.completed)
        by_status[Status.WATCHING] = self.watching
        by_status[Status.ON_HOLD] = self.on_hold
        by_status[Status.DROPPED] = self.dropped
        by_status[Status.PLAN_TO_WATCH] = self.planned
        strength = by_status[status]
        return strength if favourite is None else strength + self.favourite * favourite


@dataclass(frozen=True)
class Als:
    """``factor`` (n, f) float32, zeros for an anime that training did not see; ``gram`` (f, f)."""

    name: ClassVar[str] = "als"

    factor: npt.NDArray[np.float32]
    gram: Floats
    regularization: float
    alpha: float
    strengths: Strengths
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, arrays: Arrays, n: int) -> Self | None:
        """From ``als_factor`` and the numbers ``als_*``."""
        if "als_factor" not in arrays:
            return None
        factor = arrays.table("als_factor", n)
        exact = factor.astype(np.float64)
        return cls(
            factor=factor,
            gram=exact.T @ exact,
            regularization=arrays.number("als_regularization", least=0),
            alpha=arrays.number("als_alpha", least=0),
            strengths=Strengths(
                **{
                    name: arrays.number(f"als_{name}", least=0)
                    for name in Strengths.__dataclass_fields__
                }
            ),
            known=np.asarray(factor.any(axis=1), bool),
        )

    @property
    def embedding(self) -> npt.NDArray[np.float32]:
        """The factors."""
        return self.factor

    def judge(self, known: Known) -> Judged:
        """One solution of f unknowns, and a product with all factors."""
        system, weighed = self._system(known)
        fan = solution(system, weighed.sum(axis=1), self.regularization)

        def shares(wanted: Positions) -> Floats:
            towards = self.factor[wanted].T.astype(np.float64)
            return PERCENT * (solution(system, towards, self.regularization).T @ weighed)

        return Judged(PERCENT * (self.factor @ fan), self.known, shares)

    def vector(self, known: Known) -> Floats:
        """The fan's factors."""
        system, weighed = self._system(known)
        return solution(system, weighed.sum(axis=1), self.regularization)

    def _system(self, known: Known) -> tuple[Floats, Floats]:
        """A (f, f), and c_j y_j of each entry as a column, (f, entries)."""
        listed = self.factor[known.position].astype(np.float64)
        confidence = self.alpha * self.strengths.of(known.status, known.favourite)
        system = fan_system(listed, confidence, self.gram, self.regularization)
        return system, listed.T * confidence


def fan_system(listed: Floats, confidence: Floats, gram: Floats, regularization: float) -> Floats:
    """A of the fan whose list has the factors ``listed`` (entries, f)."""
    system = gram + regularization * np.eye(len(gram))
    system += (listed.T * (confidence - 1.0)) @ listed
    return np.asarray(system)


def solution(system: Floats, right: Floats, regularization: float) -> Floats:
    """Of least norm where the system leaves something open, as without regularization it may."""
    if regularization > 0:
        return np.asarray(np.linalg.solve(system, right))
    return np.asarray(np.linalg.lstsq(system, right, rcond=None)[0])
