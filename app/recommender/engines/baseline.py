"""Baseline estimates, which engines from embeddings predict on top of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from app.recommender.arrays import Arrays
from app.recommender.listed import Known
from app.recommender.status import Status

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Baseline:
    """mu + b_i + b_u, ``item_bias`` (n,) float64; b_u has a closed form (Koren 2010, eq. 2)."""

    mean: float
    item_bias: Floats
    reg_user: float

    @classmethod
    def of(cls, arrays: Arrays, name: str, n: int) -> Self:
        return cls(
            arrays.number(f"{name}_mean"),
            arrays.vector(f"{name}_item_bias", np.float64, n),
            arrays.number(f"{name}_reg_user", least=0),
        )

    def scored(self, known: Known) -> tuple[npt.NDArray[np.bool_], Floats, float]:
        """Which entries tell a score, their residuals, and the fan's own level b_u."""
        told = (known.score > 0) & (known.status != Status.PLAN_TO_WATCH)
        at = known.position[told]
        off = known.score[told] - self.mean - self.item_bias[at]
        level = float(off.sum() / max(self.reg_user + len(off), 1.0))
        return told, off - level, level
