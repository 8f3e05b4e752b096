"""Fetch a model that was trained before into a folder, and verify it.

From a place where models were published, the one that comes with Hakken, or a registry of MLflow
(its server is in MLFLOW_TRACKING_URI) or Weights & Biases (its key is in WANDB_API_KEY). Example:

    python -m model_build fetch --from gs://bucket/models --out model
    python -m model_build fetch --from bundled --out model
    python -m model_build fetch --from models:/hakken/3 --out model
    python -m model_build fetch --from wandb:me/hakken/model:v3 --out model
"""

from __future__ import annotations

from model_build.artifact.config import FetchConfig

CONFIG = FetchConfig
