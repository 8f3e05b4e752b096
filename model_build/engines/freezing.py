"""From trained networks to the arrays of an engine, and how it does on fans left out.

The vectors of the fans trained on are turned to have mean 0 and covariance I, and what meets them
turned against it, so that the prior of a new fan is the same for every network: N(0, I).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from app.recommender.engines.baseline import Baseline
from app.recommender.engines.heads import Head, Linear, Rectified
from model_build.engines.base import FittedEngine, Number, rows_of
from model_build.engines.pairs import Pairs

Floats = npt.NDArray[np.float64]
RIDGES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class Whitening:
    """A fan's own vector is ``mean`` (d,) + ``root`` (d, d) @ the turned one."""

    mean: Floats
    root: Floats

    @classmethod
    def of(cls, fans: Floats) -> Whitening:
        """From the vectors of the fans trained on, (fans, d)."""
        covariance = np.cov(fans.T) if len(fans) > 1 else np.eye(fans.shape[1])
        jitter = JITTER * max(float(np.trace(covariance)) / len(covariance), JITTER)
        root = np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
        return cls(fans.mean(axis=0), np.asarray(root, np.float64))

    def turned(self, fans: Floats) -> Floats:
        """The turned vectors of fans, (fans, d)."""
        return np.asarray(np.linalg.solve(self.root, (fans - self.mean).T).T)

    def linear(self, item: Floats, offset: Floats) -> Linear:
        """A dot product with ``item`` (n, d), plus ``offset`` (n,)."""
        return Linear(offset + item @ self.mean, (item @ self.root).astype(np.float32))

    def rectified(self, base: Floats, project: Floats, out: Floats, offset: Floats) -> Rectified:
        """``offset + out' relu(base + project u)``."""
        base = base + project @ self.mean
        return Rectified(offset, base.astype(np.float32), project @ self.root, out)


def trained_fans(pairs: Pairs, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The fans that occur in the rows."""
    return np.unique(pairs.fan[rows])


def numpy_of(tensor: torch.Tensor) -> Floats:
    """Double precision on the CPU."""
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)


def best_ridge(loss: Callable[[float], float], ridges: Sequence[float] = RIDGES) -> float:
    """The ridge with the smallest loss, the smaller of equals."""
    return min(ridges, key=loss)


def head_arrays(side: str, head: Head, trunk: str | None = None) -> dict[str, npt.NDArray[Any]]:
    """A head by the names that `app.recommender.engines.networks` reads."""
    if isinstance(head, Linear):
        return {f"{side}_offset": head.offset, f"{side}_item": head.item}
    assert isinstance(head, Rectified)
    return {
        f"{side}_offset": head.offset,
        f"{side}_out": head.out,
        f"{trunk or side}_base": head.base,
        f"{trunk or side}_project": head.project.astype(np.float32),
    }


def unit_rows(item: Floats, trained: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Rows of length 1, zeros where not trained."""
    length = np.linalg.norm(item, axis=1, keepdims=True)
    unit = np.divide(item, length, out=np.zeros_like(item), where=length > 0)
    unit[~trained] = 0.0
    return np.asarray(unit, np.float32)


def baseline_arrays(baseline: Baseline) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Number]]:
    """The baseline's array and numbers."""
    numbers: dict[str, Number] = {"mean": baseline.mean, "reg_user": baseline.reg_user}
    return {"item_bias": baseline.item_bias}, numbers


def for_model(
    fitted: FittedEngine, anime_id: npt.NDArray[np.int32], fitted_id: npt.NDArray[np.int32]
) -> FittedEngine:
    """The engine with a row for each of the model's anime, zeros for one that was not fitted.

    What has a row for each fitted anime is told by its length, which none of the other sides of an
    array may equal; `model_build.engines` names those ``*_project`` and ``*_out``, ``fan_*``.
    """
    row = rows_of(anime_id, fitted_id)
    arrays = {}
    for name, array in fitted.arrays.items():
        if name.endswith(("_project", "_out")) or name.startswith("fan_"):
            arrays[name] = array
            continue
        moved = np.zeros((len(anime_id), *array.shape[1:]), array.dtype)
        moved[row >= 0] = array[row[row >= 0]]
        arrays[name] = moved
    return FittedEngine(arrays, fitted.numbers, fitted.metrics)
