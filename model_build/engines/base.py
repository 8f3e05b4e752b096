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

from app.recommender.artifact import CATALOGUE, Manifest, open_artifact, write_artifact
from model_build.training import build_time

Number = float | int | str


@dataclass(frozen=True, slots=True)
class FittedEngine:
    """``arrays`` and ``numbers`` by name without the engine's own; ``metrics`` what was measured.

    Arrays have a row for each of the anime that the engine was fitted for.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    numbers: Mapping[str, Number]
    metrics: Mapping[str, float] = field(default_factory=dict)


def add_engine(model: Path, name: str, fitted: FittedEngine, out: Path) -> Manifest:
    """Write the model at ``model`` with an engine called ``name`` to ``out``.

    Raises:
        ArtifactError: ``model`` is none, or something else stands at ``out``.
    """
    artifact = open_artifact(model)
    manifest = artifact.manifest
    prefix = f"{name}_"
    arrays = _without(prefix, artifact.arrays) | _with(prefix, fitted.arrays)
    numbers = _without(prefix, manifest.hyperparameters) | _with(prefix, fitted.numbers)
    documents = {
        file: (model / file).read_text("utf-8")
        for file in manifest.files
        if not file.endswith(".npy") and file != CATALOGUE
    }
    created = build_time()
    return write_artifact(
        out,
        version=f"{created:%Y%m%dT%H%M%SZ}-{_digest(manifest.version, arrays, numbers)[:8]}",
        created=created.isoformat(timespec="seconds"),
        dataset=manifest.dataset,
        counts=manifest.counts,
        hyperparameters=numbers,
        metrics=_without(prefix, manifest.metrics) | _with(prefix, fitted.metrics),
        arrays=arrays,
        catalogue=artifact.catalogue_path.read_bytes(),
        documents=documents,
    )


def rows_of(
    anime_id: npt.NDArray[np.int32], fitted_id: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Where the model's anime (n,) stand among those that were fitted (ascending), -1 if not."""
    if not len(fitted_id):
        return np.full(len(anime_id), -1, np.int64)
    at = np.minimum(np.searchsorted(fitted_id, anime_id), len(fitted_id) - 1)
    return np.where(fitted_id[at] == anime_id, at, -1).astype(np.int64)


def _without(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if not name.startswith(prefix)}


def _with(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {prefix + name: value for name, value in named.items()}


def _digest(
    version: str, arrays: Mapping[str, npt.NDArray[Any]], numbers: Mapping[str, Number]
) -> str:
    digest = hashlib.sha256(f"{version} {sorted(numbers.items())}".encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
