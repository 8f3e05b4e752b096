"""How good a model is for fans that it was not trained on.

What is measured is what is served: the same fold-in, prediction and ranking as in the app, over
every anime that is not on the visible list (no adult or type filter). A held-out anime scored 8 or
more is relevant. Formulas: `docs/evaluation.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.catalogue import Catalogue
from app.recommender import EngineName, Model, RecommendOptions, SortOrder, UserList
from app.recommender.array_types import Float64Array, Int32Array, Int64Array
from app.recommender.recommend import score_items
from model_build.data.holdout_users import HoldoutUser, join_holdout, truncate_history
from model_build.evaluate.ranking_results import (
    EvaluationItems,
    RankedItems,
    Ranker,
    rank_users,
    unlisted_item_ranker,
)
from model_build.evaluate.summary import metrics_report, summary

__all__ = [
    "HoldoutUser",
    "evaluate",
    "evaluate_by_length",
    "franchises_and_genres",
    "join_holdout",
    "model_evaluation_items",
    "model_ranker",
]

LIST_LENGTHS = (5, 20, 100, 500)
LENGTH_METRICS = ("users", "rmse", "ndcg@10", "new_ndcg@10", "coverage")


def model_ranker(
    model: Model, order: SortOrder = SortOrder.MATCH, engine: EngineName = EngineName.HAKKEN
) -> Ranker:
    """The model's ranking of all anime, before the franchise rules."""

    def rank(listed: UserList) -> RankedItems:
        scores = score_items(model, listed, RecommendOptions(sort_order=order, engine=engine))

        def error(wanted: Int64Array) -> Float64Array:
            return scores.expected_errors(model, wanted)

        return RankedItems(scores.sort_key, scores.allowed_mask, scores.predicted_score, error)

    return rank


def model_evaluation_items(
    model: Model, franchise: Int64Array, genres: Sequence[str] = ()
) -> EvaluationItems:
    """What the measures need to know of the model's anime; ``franchise`` (n,) is -1 if unknown."""
    fans = model.manifest.counts["fans"]
    return EvaluationItems.from_catalogue(
        model.anime_id, franchise, model.entry_count, fans, genres
    )


def franchises_and_genres(
    catalogue: Catalogue, anime_id: Int32Array
) -> tuple[Int64Array, list[str]]:
    """Franchises (n,), -1 where unknown, and genres of anime."""
    ids = anime_id.tolist()
    groups = catalogue.column_values("franchise_id", ids)
    franchise = np.array([-1 if group is None else group for group in groups], np.int64)
    return franchise, catalogue.column_values("genres", ids)


def evaluate(
    model: Model,
    franchise: Int64Array,
    users: Sequence[HoldoutUser],
    *,
    genres: Sequence[str] = (),
    ranker: Ranker | None = None,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, Any]:
    """All measures of a model over the fans: numbers by name, and the tables of `report`.

    ``ranker`` is how the model is asked, by default as a visitor who chooses nothing would.
    Relevant anime that the model does not know count as not found.
    """
    anime = model_evaluation_items(model, franchise, genres)
    result = rank_users(
        ranker or model_ranker(model), anime, users, progress=progress, name="evaluate"
    )
    return metrics_report(result, anime, seed=seed)


def evaluate_by_length(
    ranker: Ranker,
    items: EvaluationItems,
    users: Sequence[HoldoutUser],
    *,
    lengths: Sequence[int] = LIST_LENGTHS,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, dict[str, float | int]]:
    """The main measures when only some entries are seen of every list that has as many.

    Entries cut away are neither candidates nor misses. ``popularity_ndcg@10`` is that of showing
    every fan the anime on most lists, on the same lists. A length that no fan has is left out.
    """
    popularity = unlisted_item_ranker(items, lambda _: items.list_count.astype(np.float64))
    table = {}
    for length in lengths:
        short = truncate_history(users, length, seed)
        if not short:
            continue
        result = rank_users(ranker, items, short, progress=progress, name=f"{length} titles")
        found = summary(result, items)
        popular = summary(rank_users(popularity, items, short), items)
        table[str(length)] = {name: found[name] for name in LENGTH_METRICS} | {
            "popularity_ndcg@10": popular["ndcg@10"]
        }
    return table
