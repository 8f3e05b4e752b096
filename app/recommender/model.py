"""The trained model in memory: typed views of the artifact's arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.recommender.arrays import Arrays, ItemMatrix
from app.recommender.artifact import Artifact, ArtifactError, Manifest, open_artifact
from app.recommender.crowd import Crowd
from app.recommender.engines import open_engines


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

    @classmethod
    def of(cls, arrays: Arrays, n: int) -> TasteModel:
        """From the arrays ``taste_*`` of a model of n anime."""
        position = arrays.vector("taste_position", np.int32)
        if len(position) and not (position[0] >= 0 and position[-1] < n):
            raise ArtifactError(
                f"{arrays.file('taste_position')}: points past the anime there are."
            )
        if (np.diff(position) <= 0).any():
            raise ArtifactError(f"{arrays.file('taste_position')}: positions must ascend.")
        factor = arrays.any("taste_factor")
        if factor.ndim != 2 or len(factor) != len(position) or factor.dtype.kind != "f":
            raise ArtifactError(
                f"{arrays.file('taste_factor')}: {factor.dtype}{factor.shape}; expected a row of "
                f"factors for each of {len(position)} anime."
            )
        noise = arrays.vector("taste_noise", np.float32, len(position))
        if not np.isfinite(factor).all() or (noise <= 0).any():
            raise ArtifactError(f"{arrays.file('taste_noise')}: noise must be above 0 everywhere.")
        row = np.full(n, -1, np.int32)
        row[position] = np.arange(len(position), dtype=np.int32)
        level = arrays.number("taste_level_factor")
        return cls(
            item_bias=arrays.vector("taste_item_bias", np.float64, n),
            reg_user=arrays.number("taste_reg_user"),
            similarity=arrays.matrix("taste_similarity", n),
            spread=arrays.number("taste_spread"),
            spread_weight=arrays.number("taste_spread_weight"),
            position=position,
            row=row,
            factor=np.column_stack(
                [factor.astype(np.float32), np.full(len(position), level, np.float32)]
            ),
            level_factor=level,
            noise=noise,
        )

    @cached_property
    def mean_variance(self) -> float:
        """That of a standard score of the average anime, for a fan of whom nothing is known."""
        return float((self.factor**2).sum(axis=1).mean() + self.noise.mean())


class Model:
    """What recommending needs, for the n anime of the training ratings.

    ``anime_id`` (n,) ascending int32, ``item_bias`` (n,) float64, ``rating_count`` and
    ``entry_count`` (n,) int32: how many fans scored an anime, how many have it on their list;
    ``appeal`` (n,) float64: what fans make of an anime on average, 0 where it is not on the list.
    ``engines`` are the further ones that it has, by name, and ``crowds`` the fans that they were
    fitted to, where those are kept.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.manifest: Manifest = artifact.manifest
        self.catalogue_path: Path = artifact.catalogue_path
        arrays = Arrays(artifact)
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
        self.taste = TasteModel.of(arrays, n)
        self.mean = arrays.number("mean")
        self.reg_user = arrays.number("reg_user", least=0)
        self.k = int(arrays.number("k", least=1))
        self.engines = open_engines(arrays, n)
        crowds = {name: Crowd.of(arrays, name, n) for name in self.engines}
        self.crowds = {name: crowd for name, crowd in crowds.items() if crowd is not None}

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
