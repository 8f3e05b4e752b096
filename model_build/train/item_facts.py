"""What training takes from a catalogue: when anime are from, and of which story.

Lists are from many years, and an anime newer than a list is learnt as unwanted by its user. So the
anime from `RECENT_YEARS` years before ``as_of`` on are told apart: serving lifts them
(`app.recommender.affinity.recent_lift`), those on few lists or none get a place from their facts
(`model_build.train.cold_start`), and all get from each anime of their story what older anime get
from one of theirs on average (`add_story_affinity`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from app.recommender.array_types import (
    BoolArray,
    Float64Array,
    Int16Array,
    Int32Array,
    Int64Array,
    IntArray,
)
from app.recommender.arrays import find_positions
from app.recommender.model import RECENT_YEARS
from model_build.data.relations import decode_relations
from model_build.train.cold_start import encode_item_features, new_item_ids

STORY_KINDS = ("sequel", "side_story", "summary", "alternative")
MIN_ITEMS_OF_YEAR = 3
"""Anime of a year that must be on enough lists for the lists to be from that year."""


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """A catalogue, and the years that training is told.

    ``as_of`` None is the newest year of which anime are on enough lists. Anime of ``cold_since`` or
    later join although they have no lists: None for the recent ones, 0 for none. ``cold_ids``,
    ascending, says which, instead.
    """

    catalogue: pl.DataFrame
    as_of: int | None = None
    cold_since: int | None = None
    cold_ids: Int32Array | None = None

    def find_as_of(self, anime_ids: Int32Array, entries: IntArray, min_entries: int) -> int:
        """Return the year that the model is for, 0 where nobody knows; arrays are (n,)."""
        if self.as_of is not None:
            return self.as_of
        years = self.item_years(anime_ids[entries >= min_entries])
        found, items = np.unique(years[years > 0], return_counts=True)
        return int(found[items >= MIN_ITEMS_OF_YEAR].max(initial=0))

    def find_cold_ids(self, as_of: int) -> Int32Array:
        """Return the ids (k,) of anime that join although they may have no lists, ascending."""
        if self.cold_ids is not None:
            return self.cold_ids
        since = as_of - RECENT_YEARS if self.cold_since is None else self.cold_since
        if since <= 0:
            return np.empty(0, np.int32)
        ids = new_item_ids(self.catalogue, since).to_numpy().astype(np.int32)
        return ids[self.item_years(ids) <= as_of] if self.cold_since is None else ids

    def item_years(self, anime_ids: Int32Array) -> Int16Array:
        """Return the years (n,) of ascending ``anime_ids`` (n,), all 0 where no year is known.

        A missing one is read off the anime with the nearest ids: MyAnimeList numbers anime as they
        are announced.
        """
        if "year" not in self.catalogue.columns:
            return np.zeros(len(anime_ids), np.int16)
        known = self.catalogue.select("anime_id", "year").drop_nulls().sort("anime_id")
        ids, years = known["anime_id"].to_numpy(), known["year"].to_numpy()
        if not len(ids):
            return np.zeros(len(anime_ids), np.int16)
        at = find_positions(ids, anime_ids)
        between = np.interp(anime_ids, ids, years)
        return np.where(at >= 0, years[np.maximum(at, 0)], between).astype(np.int16)

    def item_members(self, anime_ids: Int32Array) -> Int32Array:
        """Return the members (n,) of ascending ``anime_ids`` (n,), 0 where nobody knows."""
        if "members" not in self.catalogue.columns:
            return np.zeros(len(anime_ids), np.int32)
        known = self.catalogue.select("anime_id", "members").drop_nulls().sort("anime_id")
        members = np.append(known["members"].cast(pl.Int32).to_numpy(), np.int32(0))
        return members[find_positions(known["anime_id"].to_numpy(), anime_ids)]

    def item_features(self, anime_ids: Int32Array) -> Float64Array:
        """Encode features of some anime, (n, f)."""
        return encode_item_features(self.catalogue, anime_ids)

    def story_pairs(self, anime_ids: Int32Array) -> Int64Array:
        """Pairs of positions in ``anime_ids`` that are of one story, both ways round, (p, 2).

        They are those that the relations name; where a catalogue has none, all of one franchise.
        """
        columns = self.catalogue.columns
        ids = self.catalogue["anime_id"].to_list()
        pairs: set[tuple[int, int]] = set()
        if "relations" in columns:
            for anime_id, text in zip(ids, self.catalogue["relations"].to_list(), strict=True):
                for relation in decode_relations(anime_id, text):
                    if relation.kind in STORY_KINDS:
                        pairs.add((relation.anime_id, relation.related_id))
        elif "franchise_id" in columns:
            groups = self.catalogue.select("anime_id", "franchise_id").drop_nulls()
            joined = groups.join(groups, on="franchise_id", suffix="_of_other")
            pairs.update(joined.select("anime_id", "anime_id_of_other").iter_rows())
        found = np.array(sorted(pairs), np.int64).reshape(-1, 2)
        at = find_positions(anime_ids, found.ravel()).reshape(-1, 2)
        at = at[(at >= 0).all(axis=1) & (at[:, 0] != at[:, 1])]
        return np.unique(np.concatenate([at, at[:, ::-1]]), axis=0)


def add_story_affinity(
    matrix: csr_array, pairs: Int64Array, recipients: BoolArray, weight: float
) -> csr_array:
    """Add ``weight`` times what anime of one story give each other to what recipients get.

    Parameters
    ----------
    matrix
        (n, n), row j is the anime on the list, column i the one recommended.
    pairs
        (p, 2) positions j and i of anime of one story.
    recipients
        (n,) bool. What pairs give each other is the mean over the others, where both have weights.
    """
    giving = np.diff(matrix.indptr) > 0
    j, i = pairs[giving[pairs[:, 0]]].T
    settled = ~recipients[i] & giving[i]
    if not settled.any() or settled.all():
        return matrix
    usual = float(matrix[j[settled], i[settled]].mean())
    j, i = j[~settled & recipients[i]], i[~settled & recipients[i]]
    added = np.full(len(j), max(0.0, weight * usual), np.float32)
    total = matrix + csr_array((added, (j, i)), shape=matrix.shape, dtype=np.float32)
    total.sort_indices()
    return total
