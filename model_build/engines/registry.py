"""The engines that are trained with PyTorch: which there are, and getting at them.

PyTorch is imported only when one of them is trained; it stands in requirements-neural.txt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.recommender.arrays import ArtifactReader
from app.recommender.engines import (
    CosineEngine,
    Engine,
    GaussianProcessEngine,
    HybridEngine,
    MatrixFactorizationEngine,
    MlpEngine,
)
from model_build.engines.base import FittedEngine, replace_prefixed
from model_build.train.model_arrays import in_memory_artifact
from model_build.util.errors import InputError

if TYPE_CHECKING:
    from model_build.engines.network_training import NetworkSettings

NEURAL_ENGINES: dict[str, tuple[str, type[Engine]]] = {
    "mf": ("matrix factorization", MatrixFactorizationEngine),
    "mlp": ("network of one hidden layer", MlpEngine),
    "hybrid": ("one network for scores and interactions", HybridEngine),
    "cosine": ("cosine embeddings", CosineEngine),
    "kernel": ("Gaussian process over embeddings", GaussianProcessEngine),
}


def network_trainer(name: str) -> tuple[Callable[..., FittedEngine], NetworkSettings]:
    """``fit(ratings, anime_id, settings)`` of an engine, and its defaults."""
    try:
        from model_build.engines import cosine_embeddings, factor_networks, gaussian_process
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InputError(
            f"{name} is trained with PyTorch, which is not installed; "
            "run: pip install -r requirements-neural.txt"
        ) from None
    trainers = factor_networks.TRAINERS | {
        "cosine": (cosine_embeddings.fit, cosine_embeddings.DEFAULTS),
        "kernel": (gaussian_process.fit, gaussian_process.DEFAULTS),
    }
    return trainers[name]


def engine_in_memory(name: str, fitted: FittedEngine, n_items: int) -> Engine:
    """Return the engine as a model of n anime would have it, without a file."""
    arrays = replace_prefixed(name, {}, fitted.arrays)
    numbers = replace_prefixed(name, {}, fitted.hyperparameters)
    artifact = in_memory_artifact(arrays, {}, numbers)
    engine = NEURAL_ENGINES[name][1].from_arrays(ArtifactReader(artifact), n_items)
    assert engine is not None
    return engine
