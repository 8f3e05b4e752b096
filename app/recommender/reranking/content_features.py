"""What a model knows of its anime beside lists and scores: series, kind, length and words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.recommender.array_types import (
    Float64Array,
    Int8Array,
    Int16Array,
    Int32Array,
    Int64Array,
    UInt16Array,
)
from app.recommender.arrays import ArtifactReader
from app.recommender.artifact import ArtifactError
from app.recommender.franchise import Franchises

MEDIA_TYPES = ("TV", "MOVIE", "OVA", "ONA", "SPECIAL", "TV SPECIAL", "MUSIC", "CM", "PV")
WORD_KINDS = ("genres", "tags", "studios", "source")
EXTRA, VERSION = 1, 2
"""Bits of ``item_role``."""


@dataclass(frozen=True, slots=True)
class ContentFeatures:
    """Content of the n anime of a model, as the catalogue had it when that was trained.

    ``media_type`` (n,) numbers `MEDIA_TYPES`, -1 for unknown; ``episodes`` (n,) is 0 where unknown.
    The words of item i (genres, themes and demographics; tags; studios; source material) are
    ``word_indices[word_indptr[i]:word_indptr[i + 1]]``; ``word_kind`` (w,) numbers `WORD_KINDS`,
    and ``word_shares`` (w,) is the share of all list entries that have a word.
    """

    franchises: Franchises
    media_type: Int8Array
    episodes: Int16Array
    word_indptr: Int64Array
    word_indices: UInt16Array
    word_kind: Int8Array
    word_shares: Float64Array

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, entry_count: Int32Array) -> ContentFeatures | None:
        """From the arrays ``item_*`` of a model of n anime; None where a model has none.

        ``entry_count`` (n,) is on how many lists each anime is.
        """
        if "item_franchise" not in arrays:
            return None
        n_items = len(entry_count)
        role = arrays.read_vector("item_role", np.uint8, n_items)
        word_kind = arrays.read_vector("word_kind", np.int8)
        indices = arrays.read_positions("item_word_indices", np.uint16, len(word_kind))
        indptr = arrays.read_offsets("item_word_indptr", n_items, len(indices))
        prequel = arrays.read_vector("item_prequel", np.int32, n_items)
        franchise_id = arrays.read_vector("item_franchise", np.int32, n_items)
        media_type = arrays.read_vector("item_media_type", np.int8, n_items)
        for name, fits in (
            ("word_kind", ((word_kind >= 0) & (word_kind < len(WORD_KINDS))).all()),
            ("item_prequel", ((prequel >= -1) & (prequel < n_items)).all()),
            ("item_franchise", ((franchise_id >= -1) & (franchise_id < n_items)).all()),
            ("item_media_type", ((media_type >= -1) & (media_type < len(MEDIA_TYPES))).all()),
        ):
            if not fits:
                raise ArtifactError(f"{arrays.array_path(name)}: points past what there is.")
        franchises = Franchises.from_places(
            franchise_id,
            arrays.read_vector("item_place", np.int32, n_items),
            (role & EXTRA) > 0,
            prequel,
            (role & VERSION) > 0,
        )
        weight = np.repeat(entry_count, np.diff(indptr))
        listed = np.bincount(indices, weight, len(word_kind))
        return cls(
            franchises,
            media_type,
            arrays.read_vector("item_episodes", np.int16, n_items),
            indptr,
            indices,
            word_kind,
            listed / max(1, int(entry_count.sum())),
        )
