"""How good a model is for users that it was not trained on.

What is measured is what is served: the same fold-in, prediction and ranking as in the app, over
every anime that is not on the visible list (no adult or type filter). A held-out anime scored 8 or
more is relevant. Formulas: `docs/evaluation.md`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from app.catalogue import Catalogue
from app.recommender import Model
from app.recommender.array_types import Int32Array, Int64Array
from model_build.data.catalogue import encode_catalogue
from model_build.data.holdout import HoldoutUser, truncate_history
from model_build.evaluate.metrics import metrics_report, summary
from model_build.evaluate.ranking import (
    EvaluationItems,
    Ranker,
    model_ranker,
    rank_users,
    unlisted_item_ranker,
)

LIST_LENGTHS = (5, 20, 100, 500)
LENGTH_METRICS = ("users", "rmse", "ndcg@10", "new_ndcg@10", "coverage")


def franchises_and_genres(
    catalogue: Catalogue, anime_id: Int32Array
) -> tuple[Int64Array, list[str]]:
    """Franchises (n,), -1 where unknown, and genres of anime."""
    ids = anime_id.tolist()
    groups = catalogue.column_values("franchise_id", ids)
    franchise = np.array([-1 if group is None else group for group in groups], np.int64)
    return franchise, catalogue.column_values("genres", ids)


def build_catalogue(table: pl.DataFrame | None, anime_ids: Int32Array) -> Catalogue:
    """Return the catalogue that a model of ``anime_ids`` (n,) would have."""
    return Catalogue(json.loads(gzip.decompress(encode_catalogue(table, anime_ids))))


def franchise_by_anime(catalogue: Catalogue) -> dict[int, int]:
    """Map anime ids to franchises, where they are known."""
    ids = catalogue.anime_ids()
    groups = catalogue.column_values("franchise_id", ids)
    return {anime: group for anime, group in zip(ids, groups, strict=True) if group is not None}


def evaluate(
    model: Model,
    franchise: Int64Array,
    users: Sequence[HoldoutUser],
    *,
    genres: Sequence[str] = (),
    ranker: Ranker | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """All metrics of a model over the users: numbers by name, and the tables of `metrics_report`.

    ``franchise`` (n,) is -1 where unknown. ``ranker`` is how the model is asked, by default as a
    visitor who chooses nothing would. Relevant anime that the model does not know count as not
    found.
    """
    items = EvaluationItems.from_model(model, franchise, genres)
    ranker = ranker or model_ranker(model)
    result = rank_users(ranker, items, users, name="evaluate")
    return metrics_report(result, items, seed=seed)


def evaluate_by_length(
    ranker: Ranker,
    items: EvaluationItems,
    users: Sequence[HoldoutUser],
    *,
    lengths: Sequence[int] = LIST_LENGTHS,
    seed: int = 0,
) -> dict[str, dict[str, float | int]]:
    """Return the main metrics when only some entries are seen of every list that has as many.

    Entries cut away are neither candidates nor misses. ``popularity_ndcg@10`` is that of showing
    every user the anime on most lists, on the same lists. A length that no user has is left out.
    """
    by_popularity = unlisted_item_ranker(
        items.anime_id, lambda _: items.list_count.astype(np.float64)
    )
    table = {}
    for length in lengths:
        short = truncate_history(users, length, seed)
        if not short:
            continue
        result = rank_users(ranker, items, short, name=f"{length} titles")
        found = summary(result, items)
        popular = summary(rank_users(by_popularity, items, short), items)
        table[str(length)] = {name: found[name] for name in LENGTH_METRICS} | {
            "popularity_ndcg@10": popular["ndcg@10"]
        }
    return table
