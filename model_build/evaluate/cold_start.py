"""How well anime are placed that nobody has scored: known ones are hidden, placed, and looked for.

Two models are trained without some users. The first has never seen the hidden anime on any list and
places them by their catalogue features (`model_build.train.cold_start`), the second knows them as
well as any. Both then predict, for each of the users left out, which of the hidden anime suit the
rest of the list, and what score the user gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from app.recommender import Model, UserList, WatchStatus
from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from model_build.data.grouping import rows_by_user
from model_build.data.ratings import Ratings
from model_build.evaluate.metrics import finite_mean, ndcg, roc_auc
from model_build.evaluate.ranking import model_ranker
from model_build.train.driver import train_model
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.item_facts import ItemFacts
from model_build.util.errors import InputError
from model_build.util.progress import progress_bars

MIN_LISTS = 100
"""Lists that an anime must be on to be hidden, so that there is something to find."""
MIN_VISIBLE = 5
LIKED_SCORE = 7.0
CUTOFF = 10


@dataclass(frozen=True, slots=True)
class ColdStartMetrics:
    """Means over users (``auc``, ``ndcg``) and over hidden scores (the rest) for one model.

    ``within`` is the share of scores that are off by no more than their ``expected_error``.
    """

    auc: float
    ndcg: float
    rmse: float
    expected_error: float
    within: float


@dataclass(frozen=True, slots=True)
class _ColdStartUser:
    """What is seen of a user, and of the hidden anime (hidden,) the relevant and the scores.

    Relevant is what was finished without a score, or scored 7 or more; the score is 0 for none.
    """

    visible: UserList
    relevant: BoolArray
    score: Float64Array


def evaluate_cold_start(
    ratings: Ratings,
    catalogue: pl.DataFrame,
    settings: Hyperparameters,
    *,
    n_hidden: int,
    n_users: int,
    seed: int,
) -> tuple[dict[str, ColdStartMetrics], dict[str, int]]:
    """Return the metrics by what the model knows the hidden anime by, and how much was measured."""
    rng = np.random.default_rng(seed)
    hidden = _sample(
        rng, _eligible_items(ratings, catalogue), n_hidden, "anime with type and genres"
    )
    left_out = np.zeros(len(ratings.user_ids), bool)
    left_out[_sample(rng, np.arange(len(ratings.user_ids)), n_users, "fans")] = True
    is_hidden = np.zeros(len(ratings.anime_ids), bool)
    is_hidden[hidden] = True
    of_others = ~left_out[ratings.user]
    users = list(_cold_start_users(ratings, left_out, is_hidden))
    if not any(user.score.any() for user in users):
        raise InputError(
            f"none of {n_users} fans left out liked and scored one of {n_hidden} hidden anime and "
            f"lists {MIN_VISIBLE} others; ask for more fans or anime."
        )
    found = {}
    for name, selected, cold_items in (
        ("their facts", of_others & ~is_hidden[ratings.item], hidden),
        ("their fans", of_others, hidden[:0]),
    ):
        with progress_bars() as on_progress:
            trained = train_model(
                _select_entries(ratings, selected),
                settings,
                facts=ItemFacts(catalogue, cold_ids=ratings.anime_ids[cold_items]),
                second_stage=False,
                on_progress=on_progress,
            )
        found[name] = _evaluate_model(trained.in_memory_model(), hidden, users)
    counts = {
        "fans": len(users),
        "anime": len(hidden),
        "scores": int(sum((user.score > 0).sum() for user in users)),
    }
    return found, counts


def _eligible_items(ratings: Ratings, catalogue: pl.DataFrame) -> Int64Array:
    missing = {"type", "genres"} - {*catalogue.columns}
    if missing:
        raise InputError(f"the catalogue has no column {min(missing)}, which new anime need.")
    lists = np.bincount(ratings.item, minlength=len(ratings.anime_ids))
    has_features = pl.col("type").is_not_null() & (pl.col("genres").fill_null("") != "")
    described = np.isin(ratings.anime_ids, catalogue.filter(has_features)["anime_id"].to_numpy())
    return np.flatnonzero((lists >= MIN_LISTS) & described)


def _sample(rng: np.random.Generator, candidates: Int64Array, count: int, what: str) -> Int64Array:
    if count >= len(candidates):
        raise InputError(f"{count} {what} cannot be left out of {len(candidates)}; ask for fewer.")
    return np.sort(rng.choice(candidates, count, replace=False))


def _select_entries(ratings: Ratings, selected: BoolArray) -> Ratings:
    """Select entries, over all anime; users without any are left out."""
    user_ids, user = np.unique(ratings.user[selected], return_inverse=True)
    return replace(
        ratings,
        user=user.astype(np.int32),
        item=ratings.item[selected],
        rating=ratings.rating[selected],
        status=ratings.status[selected],
        collected=ratings.collected[selected],
        user_ids=ratings.user_ids.gather(user_ids),
    )


def _cold_start_users(
    ratings: Ratings, left_out: BoolArray, is_hidden: BoolArray
) -> Iterator[_ColdStartUser]:
    """Return the users left out who have something relevant hidden, and a list besides."""
    rows_of = rows_by_user(ratings.user, len(ratings.user_ids))
    hidden_index = np.cumsum(is_hidden) - 1
    for user in np.flatnonzero(left_out).tolist():
        rows = rows_of[user]
        item, rating, status = ratings.item[rows], ratings.rating[rows], ratings.status[rows]
        is_out = is_hidden[item]
        liked = np.where(rating > 0, rating >= LIKED_SCORE, status == WatchStatus.COMPLETED)
        relevant, score = np.zeros(is_hidden.sum(), bool), np.zeros(is_hidden.sum())
        relevant[hidden_index[item[is_out & liked]]] = True
        score[hidden_index[item[is_out]]] = rating[is_out]
        ids = ratings.anime_ids[item[~is_out]].astype(np.int64)
        if relevant.any() and len(ids) >= MIN_VISIBLE:
            yield _ColdStartUser(UserList(ids, rating[~is_out], status[~is_out]), relevant, score)


def _evaluate_model(
    model: Model, hidden: Int64Array, users: Sequence[_ColdStartUser]
) -> ColdStartMetrics:
    rank = model_ranker(model)
    aucs, ndcgs, errors, expected = [], [], [], []
    for user in users:
        ranked = rank(user.visible)
        match = ranked.sort_key[hidden]
        aucs.append(roc_auc(match, user.relevant))
        best = np.argsort(-match, kind="stable")[:CUTOFF]
        ndcgs.append(float(ndcg(user.relevant[best], int(user.relevant.sum()), CUTOFF)))
        scored = np.flatnonzero(user.score)
        assert ranked.predicted_score is not None
        assert ranked.expected_error is not None
        errors.append(ranked.predicted_score(hidden[scored]) - user.score[scored])
        expected.append(ranked.expected_error(hidden[scored]))
    error, spread = np.concatenate(errors), np.concatenate(expected)
    return ColdStartMetrics(
        auc=finite_mean(np.array(aucs)),
        ndcg=float(np.mean(ndcgs)),
        rmse=float(np.sqrt(np.mean(error**2))),
        expected_error=float(np.sqrt(np.mean(spread**2))),
        within=float(np.mean(np.abs(error) <= spread)),
    )
