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

from app.recommender.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
)
from app.recommender.engines.bias_model import BiasModel
from app.recommender.engines.heads import LinearHead, PredictionHead, ReluHead
from model_build.engines.base import FittedEngine, HyperparameterValue, positions_in_fitted
from model_build.engines.training_pairs import TrainingPairs

RIDGE_GRID = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class UserWhitening:
    """A fan's own vector is ``mean`` (d,) + ``root`` (d, d) @ the turned one."""

    mean: Float64Array
    covariance_root: Float64Array

    @classmethod
    def from_vectors(cls, users: Float64Array) -> UserWhitening:
        """From the vectors of the fans trained on, (fans, d)."""
        covariance = np.cov(users.T) if len(users) > 1 else np.eye(users.shape[1])
        jitter = JITTER * max(float(np.trace(covariance)) / len(covariance), JITTER)
        root = np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
        return cls(users.mean(axis=0), np.asarray(root, np.float64))

    def whitened(self, users: Float64Array) -> Float64Array:
        """The turned vectors of fans, (fans, d)."""
        return np.asarray(np.linalg.solve(self.covariance_root, (users - self.mean).T).T)

    def linear_head(self, item: Float64Array, offset: Float64Array) -> LinearHead:
        """A dot product with ``item`` (n, d), plus ``offset`` (n,)."""
        return LinearHead(
            offset + item @ self.mean, (item @ self.covariance_root).astype(np.float32)
        )

    def relu_head(
        self, base: Float64Array, project: Float64Array, out: Float64Array, offset: Float64Array
    ) -> ReluHead:
        """``offset + out' relu(base + project u)``."""
        base = base + project @ self.mean
        return ReluHead(offset, base.astype(np.float32), project @ self.covariance_root, out)


def users_in_rows(pairs: TrainingPairs, rows: Int64Array) -> Int64Array:
    """The fans that occur in the rows."""
    return np.unique(pairs.user[rows])


def to_numpy(tensor: torch.Tensor) -> Float64Array:
    """Double precision on the CPU."""
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)


def select_ridge(loss: Callable[[float], float], ridges: Sequence[float] = RIDGE_GRID) -> float:
    """The ridge with the smallest loss, the smaller of equals."""
    return min(ridges, key=loss)


def head_arrays(
    target: str, head: PredictionHead, trunk: str | None = None
) -> dict[str, npt.NDArray[Any]]:
    """A head by the names that `app.recommender.engines.networks` reads."""
    if isinstance(head, LinearHead):
        return {f"{target}_offset": head.offset, f"{target}_item_vectors": head.item_vectors}
    assert isinstance(head, ReluHead)
    return {
        f"{target}_offset": head.offset,
        f"{target}_output_weight": head.output_weight,
        f"{trunk or target}_hidden_bias": head.hidden_bias,
        f"{trunk or target}_projection": head.projection.astype(np.float32),
    }


def normalise_rows(item: Float64Array, trained: BoolArray) -> Float32Array:
    """Rows of length 1, zeros where not trained."""
    length = np.linalg.norm(item, axis=1, keepdims=True)
    unit = np.divide(item, length, out=np.zeros_like(item), where=length > 0)
    unit[~trained] = 0.0
    return np.asarray(unit, np.float32)


def baseline_arrays(
    baseline: BiasModel,
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, HyperparameterValue]]:
    """The baseline's array and numbers."""
    numbers: dict[str, HyperparameterValue] = {
        "global_mean": baseline.global_mean,
        "reg_user": baseline.reg_user,
    }
    return {"item_bias": baseline.item_bias}, numbers


def align_to_model(
    fitted: FittedEngine, anime_id: Int32Array, fitted_anime_id: Int32Array
) -> FittedEngine:
    """The engine with a row for each of the model's anime, zeros for one that was not fitted.

    What has a row for each fitted anime is told by its length, which none of the other sides of an
    array may equal; `model_build.engines` names those ``*_projection``, ``*_output_weight`` and ``user_prior_*``.
    """
    row = positions_in_fitted(anime_id, fitted_anime_id)
    arrays = {}
    for name, array in fitted.arrays.items():
        if name.endswith(("_projection", "_output_weight")) or name.startswith("user_prior_"):
            arrays[name] = array
            continue
        moved = np.zeros((len(anime_id), *array.shape[1:]), array.dtype)
        moved[row >= 0] = array[row[row >= 0]]
        arrays[name] = moved
    return FittedEngine(arrays, fitted.hyperparameters, fitted.metrics)
