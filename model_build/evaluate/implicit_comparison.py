"""ALS beside popularity and Hakken's own ranking, on the same masked interactions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from app.recommender import Model, UserList
from app.recommender.array_types import Float32Array, Int64Array
from model_build.data.catalogue import encode_catalogue
from model_build.data.masking import MaskedInteractions, MaskedUsers
from model_build.data.ratings import index_ratings
from model_build.engines.als import AlsSettings
from model_build.evaluate.als_evaluation import ImplicitMetrics, fit_and_evaluate
from model_build.evaluate.comparison import trained_default_model
from model_build.evaluate.evaluation import model_ranker
from model_build.evaluate.masked_evaluation import BlockScorer, constant_scorer, evaluate_scores
from model_build.evaluate.ranking_results import Ranker


@dataclass(frozen=True, slots=True)
class ImplicitResult:
    """One recommender: measures of fans trained on, ``new_`` ones of others."""

    title: str
    fit_seconds: float
    metrics: ImplicitMetrics


def compare_implicit(
    masked: MaskedInteractions,
    settings: Mapping[str, AlsSettings],
    catalogue: pl.DataFrame | None = None,
    *,
    include_hakken: bool = True,
    new_users: MaskedUsers | None = None,
) -> Iterator[ImplicitResult]:
    """Rows for popularity, ALS with each of the settings, and Hakken, as soon as they are known.

    ``new`` are fans kept from training to measure on; all of them by default. Hakken's own ranking
    learns from scores, and is left out where there are none.
    """
    new_users = masked.new_users if new_users is None else new_users
    popular = constant_scorer(masked.item_counts)
    yield ImplicitResult("Popularity", 0.0, _evaluate_users(masked, new_users, popular, popular))
    for title, each in settings.items():
        yield ImplicitResult(title, *fit_and_evaluate(masked, each, new_users=new_users))
    entries = masked.interactions.entries
    if include_hakken and entries.rated_mask[masked.known_users.visible_rows].any():
        yield _evaluate_hakken(masked, new_users, catalogue)


def _evaluate_hakken(
    masked: MaskedInteractions, new_users: MaskedUsers, catalogue: pl.DataFrame | None
) -> ImplicitResult:
    rows = masked.known_users.visible_rows
    entries = masked.interactions.entries
    training = index_ratings(
        pl.DataFrame(
            {
                "user_id": entries.user[rows],
                "anime_id": entries.anime_ids[entries.item[rows]],
                "rating": entries.rating[rows],
                "status": entries.status[rows],
            }
        )
    )
    with trained_default_model(
        training, encode_catalogue(catalogue, training.anime_ids), False
    ) as (model, seconds):
        rank = model_ranker(model)
        rank(
            UserList.from_entries([(int(model.anime_id[0]), 8.0, 2)])
        )  # compiles what is compiled at first use
        known, others = (
            _hakken_scorer(masked, side, model, rank) for side in (masked.known_users, new_users)
        )
        return ImplicitResult(
            "Hakken, best match", seconds, _evaluate_users(masked, new_users, known, others)
        )


def _hakken_scorer(
    masked: MaskedInteractions, users: MaskedUsers, model: Model, ranker: Ranker
) -> BlockScorer:
    """What the model sorts by, of every anime; behind all others what it would not show."""
    entries = masked.interactions.entries
    column = np.searchsorted(masked.anime_id, model.anime_id)
    start = users.visible.indptr

    def score(first: int, last: int) -> Float32Array:
        rows = np.full((last - first, len(masked.anime_id)), -np.inf, np.float32)
        for fan in range(first, last):
            own: Int64Array = users.visible_rows[start[fan] : start[fan + 1]]
            ranking = ranker(
                UserList(
                    entries.anime_ids[entries.item[own]].astype(np.int64),
                    entries.rating[own],
                    entries.status[own],
                    masked.interactions.favourite[own],
                )
            )
            rows[fan - first, column] = np.where(ranking.is_candidate, ranking.sort_key, -np.inf)
        return rows

    return score


def _evaluate_users(
    masked: MaskedInteractions,
    new_users: MaskedUsers,
    score_known: BlockScorer,
    score_new: BlockScorer,
) -> ImplicitMetrics:
    of_new = evaluate_scores(new_users, score_new)
    return evaluate_scores(masked.known_users, score_known) | {
        f"new_{name}": each for name, each in of_new.items()
    }
