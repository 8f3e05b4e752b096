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


@dataclass(frozen=True)
class TasteModel:
    """What `app.recommender.taste` predicts scores with.

    ``item_bias`` (n,) belongs to ``reg_user``; ``similarity`` holds shrunk similarities of standard
    scores; ``spread`` is that of all fans, ``spread_weight`` how many scores it counts for.
    ``position`` (m,) are the anime that the Gaussian part knows, ``row`` (n,) its inverse (-1 where
    not known), ``factor`` (m, f) float32 with the constant ``level_factor`` as its last column,
    ``noise`` (m,) float32 above 0.
    """

    item_bias: npt.NDArray[np.float64]
    reg_user: float
    similarity: ItemMatrix
    spread: float
    spread_weight: float
    position: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    factor: npt.NDArray[np.float32]
    level_factor: float
    noise: npt.NDArray[np.float32]

    @cached_property
    def mean_variance(self) -> float:
        """That of a standard score of the average anime, for a fan of whom nothing is known."""
        return float((self.factor**2).sum(axis=1).mean() + self.noise.mean())


class Model:
    """What recommending needs, for the n anime of the training ratings.

    ``anime_id`` (n,) ascending int32, ``item_bias`` (n,) float64, ``rating_count`` and
    ``entry_count`` (n,) int32: how many fans scored an anime, how many have it on their list;
    ``appeal`` (n,) float64: what fans make of an anime on average, 0 where it is not on the list.
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
        self.appeal = arrays.vector("appeal", np.float64, n)
        self.similarity = arrays.matrix("similarity", n)
        self.affinity = arrays.matrix("affinity", n)
        self.newcomer = arrays.matrix("newcomer", n)
        self.taste = arrays.taste(n)
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

    def taste(self, n: int) -> TasteModel:
        position = self.vector("taste_position", np.int32)
        if len(position) and not (position[0] >= 0 and position[-1] < n):
            raise ArtifactError(f"{self.file('taste_position')}: points past the anime there are.")
        if (np.diff(position) <= 0).any():
            raise ArtifactError(f"{self.file('taste_position')}: positions must ascend.")
        factor = self._any("taste_factor")
        if factor.ndim != 2 or len(factor) != len(position) or factor.dtype.kind != "f":
            raise ArtifactError(
                f"{self.file('taste_factor')}: {factor.dtype}{factor.shape}; expected a row of "
                f"factors for each of {len(position)} anime."
            )
        noise = self.vector("taste_noise", np.float32, len(position))
        if not np.isfinite(factor).all() or (noise <= 0).any():
            raise ArtifactError(f"{self.file('taste_noise')}: noise must be above 0 everywhere.")
        row = np.full(n, -1, np.int32)
        row[position] = np.arange(len(position), dtype=np.int32)
        level = self.number("taste_level_factor")
        return TasteModel(
            item_bias=self.vector("taste_item_bias", np.float64, n),
            reg_user=self.number("taste_reg_user"),
            similarity=self.matrix("taste_similarity", n),
            spread=self.number("taste_spread"),
            spread_weight=self.number("taste_spread_weight"),
            position=position,
            row=row,
            factor=np.column_stack(
                [factor.astype(np.float32), np.full(len(position), level, np.float32)]
            ),
            level_factor=level,
            noise=noise,
        )

    def _any(self, name: str) -> npt.NDArray[Any]:
        try:
            return self._arrays[name]
        except KeyError:
            raise ArtifactError(f"{self.file(name)}: the manifest lists no such array.") from None
