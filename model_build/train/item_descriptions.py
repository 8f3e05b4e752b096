"""The catalogue as the arrays that the second stage of ranking reads (`ItemDescriptions`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from app.recommender.array_types import Int32Array
from app.recommender.arrays import find_positions
from app.recommender.franchise import skip_extras
from app.recommender.reranking.item_descriptions import EXTRA, MEDIA_TYPES, VERSION, WORD_KINDS
from model_build.train.model_arrays import ModelArrays

MIN_WORD_ITEMS = 5
"""Anime of a model that must have a word for it to count."""
MAX_EPISODES = np.iinfo(np.int16).max
WORD_COLUMNS = {
    "genres": ("genres", "themes", "demographics"),
    "tags": ("tags",),
    "studios": ("studios",),
    "source": ("source",),
}


def item_description_arrays(catalogue: pl.DataFrame | None, anime_ids: Int32Array) -> ModelArrays:
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
