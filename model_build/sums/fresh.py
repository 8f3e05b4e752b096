"""Anime that are too new for ratings, where there are counts instead of ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from model_build.fresh import Facts, describe, new_anime
from model_build.sums.shard import Counts, add_counts


@dataclass(frozen=True, slots=True)
class NewAnime:
    """A catalogue and the ids of the new anime in it, (k,) ascending."""

    catalogue: pl.DataFrame
    ids: npt.NDArray[np.int32]

    @classmethod
    def of(cls, catalogue: pl.DataFrame, since: int) -> NewAnime:
        """New as `model_build.fresh.new_anime` says."""
        return cls(catalogue, new_anime(catalogue, since).to_numpy().astype(np.int32))

    def join(self, counts: Counts) -> Counts:
        """Counts that also name the new anime, though no fan may list them."""
        none = np.zeros(len(self.ids), np.int64)
        return add_counts(counts, Counts(self.ids, none, none, none.astype(float), 0.0))

    def facts(self, anime_ids: npt.NDArray[np.int32]) -> Facts:
        """What is known of the anime."""
        return describe(self.catalogue, anime_ids)

    def fresh(
        self,
        anime_ids: npt.NDArray[np.int32],
        entries: npt.NDArray[np.integer],
        min_entries: int,
    ) -> npt.NDArray[np.int64]:
        """The positions of the new anime on fewer than ``min_entries`` lists."""
        return np.flatnonzero((entries < min_entries) & np.isin(anime_ids, self.ids))
