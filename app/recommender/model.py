"""The trained model in memory: typed views of the artifact's arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender.artifact import Artifact, ArtifactError, Manifest, open_artifact

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


class Model:
    """What recommending needs, for n anime that were rated often enough to be in the model.

    ``anime_id`` (n,) ascending int32, ``item_bias`` (n,) float64, ``rating_count`` and
    ``entry_count`` (n,) int32: how many fans scored an anime, how many have it on their list.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.manifest: Manifest = artifact.manifest
        self.catalogue_path: Path = artifact.catalogue_path
        arrays = _Arrays(artifact)
        self.anime_id = arrays.vector("anime_id", np.int32)
        n = len(self.anime_id)
        if n == 0 or (np.diff(self.anime_id) <= 0).any():
            raise ArtifactError(f"{arrays.file('anime_id')}: ids must be ascending, at least one.")
        self.item_bias = arrays.vector("item_bias", np.float64, n)
        self.rating_count = arrays.vector("rating_count", np.int32, n)
        self.entry_count = arrays.vector("entry_count", np.int32, n)
        self.similarity = arrays.matrix("similarity", n)
        self.mean = arrays.number("mean")
        self.reg_user = arrays.number("reg_user", least=0)
        self.k = int(arrays.number("k", least=1))

    @classmethod
    def open(cls, path: Path) -> Model:
        """Open a model directory.

        Raises:
            ArtifactError: naming the file that is missing, damaged or not as expected.
        """
        return cls(open_artifact(path))

    def __len__(self) -> int:
        return len(self.anime_id)

    @property
    def version(self) -> str:
        return self.manifest.version

    def find(self, anime_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Positions of anime in the model, -1 where it does not know one."""
        at = np.searchsorted(self.anime_id, anime_ids)
        at[at == len(self)] = 0
        return np.where(self.anime_id[at] == anime_ids, at, -1)

    @cached_property
    def popularity_order(self) -> npt.NDArray[np.int64]:
        """Positions from the anime on most lists to the one on fewest; ties by id."""
        return np.argsort(-self.entry_count.astype(np.int64), kind="stable")


class _Arrays:
    """Takes arrays and numbers out of an artifact, refusing what does not fit."""

    def __init__(self, artifact: Artifact) -> None:
        self._path = artifact.path
        self._arrays: Mapping[str, npt.NDArray[Any]] = artifact.arrays
        self._numbers = artifact.manifest.hyperparameters

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
        array = self._any(name)
        if array.dtype != dtype or array.ndim != 1 or length not in (None, len(array)):
            expected = f"{np.dtype(dtype)}, one dimension" + (f" of {length}" if length else "")
            raise ArtifactError(
                f"{self.file(name)}: {array.dtype}{array.shape}; expected {expected}."
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ArtifactError(f"{self.file(name)}: holds values that are not finite.")
        return array

    def matrix(self, name: str, n: int) -> ItemMatrix:
        start = self.vector(f"{name}_start", np.int64, n + 1)
        target, value = self._any(f"{name}_target"), self._any(f"{name}_value")
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

    def _any(self, name: str) -> npt.NDArray[Any]:
        try:
            return self._arrays[name]
        except KeyError:
            raise ArtifactError(f"{self.file(name)}: the manifest lists no such array.") from None
