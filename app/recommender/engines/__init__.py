"""Further engines: what they have in common, and one module each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.recommender.arrays import ArtifactReader
from app.recommender.engines.als import AlsEngine
from app.recommender.engines.base import Engine, EngineScores
from app.recommender.engines.cosine import CosineEngine
from app.recommender.engines.gaussian_process import GaussianProcessEngine
from app.recommender.engines.networks import HybridEngine, MatrixFactorizationEngine, MlpEngine

__all__ = [
    "AlsEngine",
    "CosineEngine",
    "Engine",
    "EngineName",
    "EngineScores",
    "GaussianProcessEngine",
    "HybridEngine",
    "MatrixFactorizationEngine",
    "MlpEngine",
    "load_engines",
]

_ENGINE_CLASSES: tuple[type[Engine], ...] = (
    AlsEngine,
    MatrixFactorizationEngine,
    MlpEngine,
    HybridEngine,
    CosineEngine,
    GaussianProcessEngine,
)


class EngineName(StrEnum):
    """What answers come from: Hakken's own item-item model, or an engine that the model has."""

    HAKKEN = "hakken"
    ALS = "als"
    MF = "mf"
    MLP = "mlp"
    HYBRID = "hybrid"
    COSINE = "cosine"
    KERNEL = "kernel"


def load_engines(arrays: ArtifactReader, n_items: int) -> Mapping[str, Engine]:
    """Return the engines that a model of n anime has, by name.

    Raises
    ------
    ArtifactError
        Arrays of one do not fit.
    """
    found = (kind.from_arrays(arrays, n_items) for kind in _ENGINE_CLASSES)
    return {engine.name: engine for engine in found if engine is not None}
