"""Baseline estimates, which engines from embeddings predict on top of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array
from app.recommender.arrays import ArtifactReader
from app.recommender.user_list import KnownEntries
from app.recommender.watch_status import WatchStatus


@dataclass(frozen=True, slots=True)
class EngineBiases:
    """mu + b_i + b_u, ``item_bias`` (n,) float64; b_u has a closed form (Koren 2010, eq. 2)."""

    global_mean: float
    item_bias: Float64Array
    reg_user: float

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, engine: str, n_items: int) -> Self:
        """From the array and the numbers ``ENGINE_*``."""
        return cls(
            arrays.read_number(f"{engine}_global_mean"),
            arrays.read_vector(f"{engine}_item_bias", np.float64, n_items),
            arrays.read_number(f"{engine}_reg_user", minimum=0),
        )

    def user_residuals(self, entries: KnownEntries) -> tuple[BoolArray, Float64Array, float]:
        """Return which entries (k,) have a score, their residuals, and the user's bias b_u."""
        has_score = (entries.score > 0) & (entries.status != WatchStatus.PLAN_TO_WATCH)
        at = entries.position[has_score]
        deviation = entries.score[has_score] - self.global_mean - self.item_bias[at]
        user_bias = float(deviation.sum() / max(self.reg_user + len(deviation), 1.0))
        return has_score, deviation - user_bias, user_bias
