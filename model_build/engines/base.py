"""What fitting a further engine has in common, and adding it to a model.

A model is immutable: an engine is added by writing another model, with the arrays of the first and
those of the engine. What another engine of the same name had put there is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender.array_types import Int32Array, Int64Array
from app.recommender.artifact import CATALOGUE_FILE, Manifest, open_artifact, write_artifact
from model_build.train.training import build_timestamp

HyperparameterValue = float | int | str


@dataclass(frozen=True, slots=True)
class FittedEngine:
    """``arrays`` and ``numbers`` by name without the engine's own; ``metrics`` what was measured.

    Arrays have a row for each of the anime that the engine was fitted for.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    hyperparameters: Mapping[str, HyperparameterValue]
    metrics: Mapping[str, float] = field(default_factory=dict)


def add_engine(model: Path, name: str, fitted: FittedEngine, out: Path) -> Manifest:
    """Write the model at ``model`` with an engine called ``name`` to ``out``.

    Raises:
        ArtifactError: ``model`` is none, or something else stands at ``out``.
    """
    artifact = open_artifact(model)
    manifest = artifact.manifest
    prefix = f"{name}_"
    arrays = _drop_prefixed(prefix, artifact.arrays) | _add_prefix(prefix, fitted.arrays)
    numbers = _drop_prefixed(prefix, manifest.hyperparameters) | _add_prefix(
        prefix, fitted.hyperparameters
    )
    documents = {
        file: (model / file).read_text("utf-8")
        for file in manifest.files
        if not file.endswith(".npy") and file != CATALOGUE_FILE
    }
    created = build_timestamp()
    return write_artifact(
        out,
        version=f"{created:%Y%m%dT%H%M%SZ}-{_engine_version_digest(manifest.version, arrays, numbers)[:8]}",
        created=created.isoformat(timespec="seconds"),
        dataset=manifest.dataset,
        counts=manifest.counts,
        hyperparameters=numbers,
        metrics=_drop_prefixed(prefix, manifest.metrics) | _add_prefix(prefix, fitted.metrics),
        arrays=arrays,
        catalogue=artifact.catalogue_path.read_bytes(),
        documents=documents,
    )


def positions_in_fitted(anime_id: Int32Array, fitted_anime_id: Int32Array) -> Int64Array:
    """Where the model's anime (n,) stand among those that were fitted (ascending), -1 if not."""
    if not len(fitted_anime_id):
        return np.full(len(anime_id), -1, np.int64)
    at = np.minimum(np.searchsorted(fitted_anime_id, anime_id), len(fitted_anime_id) - 1)
    return np.where(fitted_anime_id[at] == anime_id, at, -1).astype(np.int64)


def _drop_prefixed(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if not name.startswith(prefix)}


def _add_prefix(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {prefix + name: value for name, value in named.items()}


def _engine_version_digest(
    version: str, arrays: Mapping[str, npt.NDArray[Any]], numbers: Mapping[str, HyperparameterValue]
) -> str:
    digest = hashlib.sha256(f"{version} {sorted(numbers.items())}".encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
