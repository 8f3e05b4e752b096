"""How well anime are placed that nobody has scored: known ones are hidden, placed, and looked for.

Two models are trained without some fans. The first has never seen the hidden anime on any list and
places them by their facts (`model_build.train.cold_start`), the second knows them as well as any. Both then
say, for each of the fans left out, which of the hidden anime suit the rest of the list, and what
score the fan gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.stats import rankdata

from app.recommender import Model, UserList, WatchStatus
from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from app.recommender.recommend import ItemScores, RecommendOptions, score_items
from app.recommender.score_model import expected_error
from model_build.data.ratings import Ratings
from model_build.evaluate.ranking_metrics import ndcg
from model_build.train.cold_start import encode_item_features
from model_build.train.hyperparameters import Hyperparameters
from model_build.train.model_arrays import ModelArrays, build_in_memory_model
from model_build.train.training import train_model
from model_build.util.errors import InputError

MIN_LISTS = 100
"""Lists that an anime must be on to be hidden, so that there is something to find."""
MIN_VISIBLE = 5
LIKED_SCORE = 7.0
CUTOFF = 10


@dataclass(frozen=True, slots=True)
class ColdStartMetrics:
    """Means over fans (``auc``, ``ndcg``) and over hidden scores (the rest) for one model.

    ``within`` is the share of scores that are off by no more than their ``expected_error``.
    """

    auc: float
    ndcg: float
    rmse: float
    expected_error: float
    within: float


@dataclass(frozen=True, slots=True)
class _ColdStartUser:
    visible: UserList
    relevant: BoolArray
    """(hidden,): finished without a score, or scored 7 or more."""
    score: Float64Array
    """(hidden,), 0 where the fan gave none."""


def evaluate_cold_start(
    ratings: Ratings,
    catalogue: pl.DataFrame,
    settings: Hyperparameters,
    *,
    n_hidden: int,
    n_users: int,
    seed: int,
    progress: bool = False,
) -> tuple[dict[str, ColdStartMetrics], dict[str, int]]:
    """What fans left out make of hidden anime: by what the models know; and how many there were.

    Raises:
        InputError: there are fewer such fans or anime than asked for.
    """
    rng = np.random.default_rng(seed)
    hidden = _sample(
        rng, _eligible_items(ratings, catalogue), n_hidden, "anime with type and genres"
    )
    left_out = np.zeros(len(ratings.user_ids), bool)
    left_out[_sample(rng, np.arange(len(ratings.user_ids)), n_users, "fans")] = True
    is_hidden = np.zeros(len(ratings.anime_ids), bool)
    is_hidden[hidden] = True
    of_others = ~left_out[ratings.user]
    users_measured = list(_cold_start_users(ratings, left_out, is_hidden))
    facts = encode_item_features(catalogue, ratings.anime_ids)
    found = {}
    for name, kept, fresh in (
        ("their facts", of_others & ~is_hidden[ratings.item], hidden),
        ("their fans", of_others, hidden[:0]),
    ):
        trained = train_model(
            _select_entries(ratings, kept),
            settings,
            item_features=facts,
            cold_items=fresh,
            progress=progress,
        )
        parts = (ModelArrays(trained.arrays, {}),)
        model = build_in_memory_model(parts, trained.counts, trained.hyperparameters)
        found[name] = _evaluate_model(model, hidden, users_measured)
    counts = {
        "fans": len(users_measured),
        "anime": len(hidden),
        "scores": int(sum((fan.score > 0).sum() for fan in users_measured)),
    }
    return found, counts


def _eligible_items(ratings: Ratings, catalogue: pl.DataFrame) -> Int64Array:
    lists = np.bincount(ratings.item, minlength=len(ratings.anime_ids))
    told = pl.col("type").is_not_null() & (pl.col("genres").fill_null("") != "")
    with_facts = np.isin(ratings.anime_ids, catalogue.filter(told)["anime_id"].to_numpy())
    return np.flatnonzero((lists >= MIN_LISTS) & with_facts)


def _sample(rng: np.random.Generator, candidates: Int64Array, count: int, what: str) -> Int64Array:
    if count >= len(candidates):
        raise InputError(f"{count} {what} cannot be left out of {len(candidates)}; ask for fewer.")
    return np.sort(rng.choice(candidates, count, replace=False))


def _select_entries(ratings: Ratings, kept: BoolArray) -> Ratings:
    """Some of the entries, over all anime; fans without any are left out."""
    user_ids, user = np.unique(ratings.user[kept], return_inverse=True)
    return replace(
        ratings,
        user=user.astype(np.int32),
        item=ratings.item[kept],
        rating=ratings.rating[kept],
        status=ratings.status[kept],
        user_ids=ratings.user_ids.gather(user_ids),
    )


def _cold_start_users(
    ratings: Ratings, left_out: BoolArray, is_hidden: BoolArray
) -> Iterator[_ColdStartUser]:
    """The fans left out who have something hidden that they like, and a list besides."""
    entries = np.flatnonzero(left_out[ratings.user])
    entries = entries[np.argsort(ratings.user[entries], kind="stable")]
    place = np.cumsum(is_hidden) - 1
    for own in np.split(entries, np.flatnonzero(np.diff(ratings.user[entries])) + 1):
        item, rating, status = ratings.item[own], ratings.rating[own], ratings.status[own]
        out = is_hidden[item]
        liked = np.where(rating > 0, rating >= LIKED_SCORE, status == WatchStatus.COMPLETED)
        relevant, score = np.zeros(is_hidden.sum(), bool), np.zeros(is_hidden.sum())
        relevant[place[item[out & liked]]] = True
        score[place[item[out]]] = rating[out]
        ids = ratings.anime_ids[item[~out]].astype(np.int64)
        if relevant.any() and len(ids) >= MIN_VISIBLE:
            yield _ColdStartUser(UserList(ids, rating[~out], status[~out]), relevant, score)


def _evaluate_model(
    model: Model, hidden: Int64Array, users: list[_ColdStartUser]
) -> ColdStartMetrics:
    auc, found, errors, expected = [], [], [], []
    for fan in users:
        scores: ItemScores = score_items(model, fan.visible, RecommendOptions())
        match = scores.match[hidden]
        auc.append(_roc_auc(match, fan.relevant))
        best = np.argsort(-match, kind="stable")[:CUTOFF]
        found.append(float(ndcg(fan.relevant[best], int(fan.relevant.sum()), CUTOFF)))
        scored = np.flatnonzero(fan.score)
        errors.append(scores.predicted_score[hidden[scored]] - fan.score[scored])
        expected.append(expected_error(model, scores.score_prediction, hidden[scored]))
    error, spread = np.concatenate(errors), np.concatenate(expected)
    return ColdStartMetrics(
        auc=float(np.mean(auc)),
        ndcg=float(np.mean(found)),
        rmse=float(np.sqrt(np.mean(error**2))),
        expected_error=float(np.sqrt(np.mean(spread**2))),
        within=float(np.mean(np.abs(error) <= spread)),
    )


def _roc_auc(value: Float64Array, relevant: BoolArray) -> float:
    """How often something relevant stands above something else; of equals, half."""
    many, rest = int(relevant.sum()), int((~relevant).sum())
    above = rankdata(value)[relevant].sum() - many * (many + 1) / 2
    return float(above / (many * rest)) if rest else float("nan")
