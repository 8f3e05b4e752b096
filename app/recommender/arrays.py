"""Taking arrays and numbers out of an artifact, refusing what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender.artifact import Artifact, ArtifactError

SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class ItemMatrix:
    """A sparse item x item matrix, stored by the anime on the fan's list (the source).

    The weights that source j gives stand at ``start[j]:start[j + 1]`` in ``target`` (ascending) and
    ``value``; a stored value times ``scale`` is the weight. Folding a list in reads exactly the
    rows of its anime.
    """

    start: npt.NDArray[np.int64]
    target: npt.NDArray[Any]
    value: npt.NDArray[Any]
    scale: float = 1.0

    def into(self, target: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """All sources that give ``target`` a weight, and the weights: one scan, no second copy."""
        at = np.flatnonzero(self.target == target)
        source = np.searchsorted(self.start, at, side="right") - 1
        return source, self.value[at] * self.scale


class Arrays:
    """Takes arrays and numbers out of an artifact, refusing what does not fit."""

    def __init__(self, artifact: Artifact) -> None:
        self._path = artifact.path
        self._arrays: Mapping[str, npt.NDArray[Any]] = artifact.arrays
        self._numbers = artifact.manifest.hyperparameters

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def file(self, name: str) -> Path:
        return self._path / f"{name}.npy"

    def number(self, name: str, least: float = -np.inf) -> float:
        value = self._numbers.get(name)
        if not isinstance(value, int | float) or not np.isfinite(value) or value < least:
            raise ArtifactError(
                f"{self._path / 'manifest.json'}: hyperparameter {name} is {value!r}, "
                f"a number{'' if np.isinf(least) else f' of at least {least:g}'} was expected."
            )
        return float(value)

    def vector(self, name: str, dtype: Any, length: int | None = None) -> npt.NDArray[Any]:
        array = self.any(name)
        if array.dtype != dtype or array.ndim != 1 or length not in (None, len(array)):
            expected = f"{np.dtype(dtype)}, one dimension" + (f" of {length}" if length else "")
            raise ArtifactError(
                f"{self.file(name)}: {array.dtype}{array.shape}; expected {expected}."
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ArtifactError(f"{self.file(name)}: holds values that are not finite.")
        return array

    def table(self, name: str, rows: int, columns: int | None = None) -> npt.NDArray[np.float32]:
        """A float32 array of ``rows`` rows."""
        array = self.any(name)
        wanted = (rows, array.shape[-1] if columns is None else columns)
        if array.dtype != np.float32 or array.shape != wanted or not array.size:
            raise ArtifactError(
                f"{self.file(name)}: {array.dtype}{array.shape}; expected float32{wanted}."
            )
        if not np.isfinite(array).all():
            raise ArtifactError(f"{self.file(name)}: holds values that are not finite.")
        return array

    def matrix(self, name: str, n: int) -> ItemMatrix:
        start = self.vector(f"{name}_start", np.int64, n + 1)
        target, value = self.any(f"{name}_target"), self.any(f"{name}_value")
        if (np.diff(start) < 0).any() or start[0] != 0:
            raise ArtifactError(f"{self.file(name + '_start')}: offsets must ascend from 0.")
        for part, array, kinds in (("target", target, "ui"), ("value", value, "uif")):
            if array.shape != (start[-1],) or array.dtype.kind not in kinds:
                raise ArtifactError(
                    f"{self.file(f'{name}_{part}')}: {array.dtype}{array.shape}; "
                    f"expected {start[-1]} elements as {name}_start says."
                )
        if len(target) and not 0 <= int(target.min()) <= int(target.max()) < n:
            raise ArtifactError(f"{self.file(name + '_target')}: points past the anime there are.")
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ArtifactError(f"{self.file(name + '_value')}: holds values that are not finite.")
        return ItemMatrix(start, target, value, self.number(f"{name}_scale", least=SMALLEST))

    def any(self, name: str) -> npt.NDArray[Any]:
        try:
            return self._arrays[name]
        except KeyError:
            raise ArtifactError(f"{self.file(name)}: the manifest lists no such array.") from None
