"""The libraries of MLflow and Weights & Biases, imported where they are needed.

They report to nobody, and a server that does not answer is not waited for long.
"""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_build.util.errors import InputError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

WANDB_KEY_VARIABLE = "WANDB_API_KEY"
MLFLOW_URI_VARIABLE = "MLFLOW_TRACKING_URI"


def open_mlflow(uri: str) -> MlflowClient:
    """Return a client of a tracking server, or of a SQLite store (``sqlite:///FILE``)."""
    # Before mlflow is imported.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    from mlflow.tracking import MlflowClient

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(uri)


def import_wandb(folder: Path) -> Any:
    """Return the module wandb, which keeps what it caches in ``folder``."""
    os.environ["WANDB_ERROR_REPORTING"] = "false"  # before wandb is imported
    os.environ.setdefault("WANDB_SILENT", "true")
    for variable in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"):
        os.environ.setdefault(variable, str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    import wandb

    return wandb


def require_packages(asking: str, *modules: str) -> None:
    """Raise InputError if one of the modules is not installed."""
    for module in modules:
        spec = find_spec(module)
        if spec is None or spec.origin is None:  # a folder of that name is no library
            raise InputError(
                f"{asking}: {module} is not installed; pip install -r requirements-tracking.txt."
            )
