"""Whether a new model is good enough to take the place of the live one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.recommender.artifact import Manifest
from model_build.util.errors import InputError

GATE_METRICS = ("ndcg@10", "recall@10", "map@10", "new_ndcg@10", "ndcg@20", "recall@20", "map@20")
"""Held-out measures of `model_build evaluate` of which more is better."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class QualityGate:
    """``metric`` may fall by ``allow_drop`` and no more, unless ``force``."""

    metric: str = "ndcg@10"
    allow_drop: float = 0.01
    force: bool = False

    def check(self, new: Manifest, live: Manifest) -> str:
        """One sentence on how the two compare.

        Raises:
            InputError: the new one is worse, or it is not known to be as good.
        """
        now, before = self._metric_value(new), self._metric_value(live)
        if before is None:
            return f"the live model {live.version} has no {self.metric} to compare with."
        if now is None:
            told = (
                f"{self.metric} of the live model {live.version} is {before:.4f}, "
                f"that of {new.version} was not measured"
            )
        else:
            told = f"{self.metric} {now:.4f} against {before:.4f} of the live model {live.version}"
            if now >= before - self.allow_drop - _ROUNDING:
                return f"{told}."
        if self.force:
            return f"{told}; published all the same."
        if now is None:
            raise InputError(
                f"{told}; train it with --metrics (what evaluate --json printed), or use --force."
            )
        raise InputError(
            f"{told}: it fell by more than {self.allow_drop:g}; "
            "find out why, or use --allow-drop or --force."
        )

    def _metric_value(self, manifest: Manifest) -> float | None:
        value = manifest.metrics.get(self.metric)
        return value if value is not None and math.isfinite(value) else None
