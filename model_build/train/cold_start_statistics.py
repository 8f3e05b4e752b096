"""Anime that are too new for ratings, where there are counts instead of ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from app.recommender.array_types import Int32Array, Int64Array
from model_build.train.cold_start import ItemFeatures, encode_item_features, new_item_ids
from model_build.train.sufficient_statistics import ItemCounts, merge_item_counts


@dataclass(frozen=True, slots=True)
class ColdStartCatalogue:
    """A catalogue and the ids of the new anime in it, (k,) ascending."""

    catalogue: pl.DataFrame
    ids: Int32Array

    @classmethod
    def from_catalogue(cls, catalogue: pl.DataFrame, since: int) -> ColdStartCatalogue:
        """New as `model_build.train.cold_start.new_item_ids` says."""
        return cls(catalogue, new_item_ids(catalogue, since).to_numpy().astype(np.int32))

    def add_to_counts(self, counts: ItemCounts) -> ItemCounts:
        """Counts that also name the new anime, though no fan may list them."""
        none = np.zeros(len(self.ids), np.int64)
        return merge_item_counts(counts, ItemCounts(self.ids, none, none, none.astype(float), 0.0))

    def item_features(self, anime_ids: Int32Array) -> ItemFeatures:
        """What is known of the anime."""
        return encode_item_features(self.catalogue, anime_ids)

    def cold_positions(
        self, anime_ids: Int32Array, entries: npt.NDArray[np.integer], min_entries: int
    ) -> Int64Array:
        """The positions of the new anime on fewer than ``min_entries`` lists."""
        return np.flatnonzero((entries < min_entries) & np.isin(anime_ids, self.ids))
