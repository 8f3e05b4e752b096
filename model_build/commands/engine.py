"""Fit a further engine and write the model with it.

The model at --model stays as it is; --out gets its arrays and those of the engine. Example:

    python -m model_build engine als --model model --ratings ratings.parquet --out model-als

mf, mlp, hybrid, cosine and kernel are trained with PyTorch:

    pip install -r requirements-neural.txt
"""

from __future__ import annotations

from model_build.engines.config import (
    AlsEngineConfig,
    EmbeddingEngineConfig,
    FactorEngineConfig,
    HybridEngineConfig,
    NetworkEngineConfig,
)
from model_build.util.options import Config

CONFIG: dict[str, tuple[type[Config], str]] = {
    "als": (AlsEngineConfig, "alternating least squares for what fans did"),
    "mf": (FactorEngineConfig, "matrix factorization (PyTorch)"),
    "mlp": (FactorEngineConfig, "network of one hidden layer (PyTorch)"),
    "hybrid": (HybridEngineConfig, "one network for scores and interactions (PyTorch)"),
    "cosine": (EmbeddingEngineConfig, "cosine embeddings (PyTorch)"),
    "kernel": (NetworkEngineConfig, "Gaussian process over embeddings (PyTorch)"),
}
