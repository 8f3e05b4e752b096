"""What training takes from a catalogue: when anime are from, of which story, and what else ranks.

Lists are from many years, and an anime newer than a list is learnt as unwanted by its user. So the
anime from `RECENT_YEARS` years before ``as_of`` on are told apart: serving lifts them
(`app.recommender.affinity.recent_lift`), those on few lists or none get a place from their facts
(`model_build.train.cold_start`), and all get from each anime of their story what older anime get
from one of theirs on average (`add_story_affinity`). The second stage of ranking reads the rest
(`ContentFeatures`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
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
from app.recommender.franchise import skip_extras
from app.recommender.model import RECENT_YEARS
from app.recommender.reranking.content_features import EXTRA, MEDIA_TYPES, VERSION, WORD_KINDS
from model_build.data.relations import decode_relations
from model_build.train.cold_start import encode_item_features, new_item_ids
from model_build.train.model_arrays import ModelArrays

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


MIN_WORD_ITEMS = 5
"""Anime of a model that must have a word for it to count."""
MAX_EPISODES = np.iinfo(np.int16).max
WORD_COLUMNS = {
    "genres": ("genres", "themes", "demographics"),
    "tags": ("tags",),
    "studios": ("studios",),
    "source": ("source",),
}


def content_feature_arrays(catalogue: pl.DataFrame | None, anime_ids: Int32Array) -> ModelArrays:
    """Encode what a catalogue with series says of ascending ``anime_ids`` (n,).

    What it does not say, or all where there is none, is unknown.
    """
    found = wanted = pl.DataFrame({"anime_id": anime_ids.astype(np.int64)})
    if catalogue is not None:
        found = wanted.join(catalogue, on="anime_id", how="left", maintain_order="left")

    def column(name: str) -> list[Any]:
        return found[name].to_list() if name in found.columns else [None] * len(found)

    kinds, extras = column("relation_kind"), np.array(list(map(bool, column("is_extra"))), bool)
    is_version = np.array([kind == "alternative" for kind in kinds], bool)
    continued = [
        other if kind == "sequel" and other else -1
        for kind, other in zip(kinds, column("relation_id"), strict=True)
    ]
    prequel = find_positions(anime_ids, np.array(continued, np.int64))
    numbers: dict[int, int] = {}
    codes = {name: number for number, name in enumerate(MEDIA_TYPES)}
    arrays: dict[str, npt.NDArray[Any]] = {
        "item_franchise": np.array(
            [
                -1 if g is None else numbers.setdefault(g, len(numbers))
                for g in column("franchise_id")
            ],
            np.int32,
        ),
        "item_place": np.array([at or 0 for at in column("watch_order")], np.int32),
        "item_prequel": skip_extras(prequel, extras).astype(np.int32),
        "item_role": (extras * EXTRA + is_version * VERSION).astype(np.uint8),
        "item_media_type": np.array(
            [codes.get((kind or "").upper(), -1) for kind in column("type")], np.int8
        ),
        "item_episodes": np.array(
            [min(count or 0, MAX_EPISODES) for count in column("episodes")], np.int16
        ),
    }
    return ModelArrays(arrays | _item_words(found), {})


def _item_words(found: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
    """Words of anime in CSR, numbered by kind and spelling."""
    pairs = [
        (at, kind, word)
        for kind, name in enumerate(WORD_KINDS)
        for column in WORD_COLUMNS[name]
        if column in found.columns
        for at, text in enumerate(found[column].to_list())
        for word in (text or "").split(";")
        if word
    ]
    schema = {"item": pl.Int64, "kind": pl.Int8, "word": pl.String}
    table = pl.DataFrame(pairs, schema=schema, orient="row").unique()
    common = table.group_by("kind", "word").len().filter(pl.col("len") >= MIN_WORD_ITEMS)
    common = common.sort("kind", "word").with_row_index("number")
    known = table.join(common, on=("kind", "word")).sort("item", "number")
    count = np.bincount(known["item"].to_numpy(), minlength=len(found))
    return {
        "item_word_indptr": np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        "item_word_indices": known["number"].to_numpy().astype(np.uint16),
        "word_kind": common["kind"].to_numpy().astype(np.int8),
    }
