"""Further engines: what they have in common, and one module each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.recommender.arrays import Arrays
from app.recommender.engines.als import Als
from app.recommender.engines.base import Engine, Judged
from app.recommender.engines.cosine import Cosine
from app.recommender.engines.kernel import Kernel
from app.recommender.engines.networks import Factors, Hybrid, Perceptron

__all__ = [
    "Als",
    "Cosine",
    "Engine",
    "EngineName",
    "Factors",
    "Hybrid",
    "Judged",
    "Kernel",
    "Perceptron",
    "open_engines",
]

_ENGINES: tuple[type[Engine], ...] = (Als, Factors, Perceptron, Hybrid, Cosine, Kernel)


class EngineName(StrEnum):
    """What answers come from: Hakken's own item-item model, or an engine that the model has."""

    HAKKEN = "hakken"
    ALS = "als"
    MF = "mf"
    MLP = "mlp"
    HYBRID = "hybrid"
    COSINE = "cosine"
    KERNEL = "kernel"


def open_engines(arrays: Arrays, n: int) -> Mapping[str, Engine]:
    """The engines that a model of n anime has, by name.

    Raises:
        ArtifactError: arrays of one do not fit.
    """
    found = (kind.of(arrays, n) for kind in _ENGINES)
    return {engine.name: engine for engine in found if engine is not None}
