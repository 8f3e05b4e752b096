"""Arrays as an opened model has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from app.recommender.arrays import ArtifactReader
from app.recommender.artifact import FORMAT_VERSION, DatasetInfo, Manifest, ModelArtifact
from model_build.train.serving_parameters import default_parameters


def reader_of(
    arrays: Mapping[str, npt.NDArray[Any]], **hyperparameters: float | str
) -> ArtifactReader:
    manifest = Manifest(
        format=FORMAT_VERSION,
        version="drawn",
        created="",
        dataset=DatasetInfo(name="", fingerprint=""),
        counts={},
        hyperparameters=hyperparameters,
        serving_parameters=default_parameters(),
        metrics={},
        files={},
    )
    return ArtifactReader(ModelArtifact(Path("drawn"), manifest, dict(arrays)))
