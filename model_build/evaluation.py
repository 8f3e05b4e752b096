"""How good a model is for fans that it was not trained on.

Of each fan, ``lists`` is what the model may see and ``holdout`` what it must find. What is measured
is what is served: the same fold-in, prediction and ranking as in the app, over every anime that is
not on the visible list (no adult or type filter). A held-out anime scored 8 or more is relevant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from app.recommender import Listed, Model, Order, Wish
from app.recommender.rank import top
from app.recommender.recommend import score_all
from model_build.errors import InputError
from model_build.metrics import ndcg, recall
from model_build.ratings import Ratings

RELEVANT = 8.0
AT = 10
DEPTH = 200
"""Ranks looked at when titles of seen franchises are skipped to find ten new ones."""


@dataclass(frozen=True, slots=True)
class Fan:
    """One fan's visible list and hidden scores (ids int64, scores float64)."""

    visible: Listed
    hidden_id: npt.NDArray[np.int64]
    hidden_score: npt.NDArray[np.float64]


def fans_of(lists: Ratings, holdout: Ratings) -> list[Fan]:
    """Join the two files by user id; a fan without a visible list comes with an empty one.

    Raises:
        InputError: the files share no user, or an anime is both visible and hidden.
    """
    visible = {str(user): rows for user, rows in _by_user(lists)}
    fans = []
    for user, rows in _by_user(holdout):
        seen = visible.get(str(user), np.empty(0, np.int64))
        hidden_id = holdout.anime_ids[holdout.item[rows]].astype(np.int64)
        seen_id = lists.anime_ids[lists.item[seen]].astype(np.int64)
        both = np.intersect1d(hidden_id, seen_id)
        if len(both):
            raise InputError(
                f"user {user}: anime {both[0]} is both in the lists and in the holdout file; "
                "what must be found must not be seen."
            )
        scored = holdout.rating[rows] > 0
        listed = Listed(seen_id, lists.rating[seen], lists.status[seen])
        fans.append(Fan(listed, hidden_id[scored], holdout.rating[rows][scored]))
    if not any(len(fan.visible.anime_id) for fan in fans):
        raise InputError("the lists and the holdout file have no user in common.")
    return fans


def evaluate(
    model: Model,
    franchise: npt.NDArray[np.int64],
    fans: list[Fan],
    *,
    order: Order = Order.MATCH,
    progress: bool = False,
) -> dict[str, float | int]:
    """Rating error, ranking quality and coverage over the fans.

    ``franchise`` (n,) groups the model's anime, -1 where unknown. For ``new_ndcg@10`` franchises
    on the visible list are hidden and one anime a franchise is shown; a hit is any anime of a
    relevant franchise, and relevant franchises count once. Relevant anime that the model does not
    know count as not found.
    """
    group_of = dict(zip(model.anime_id.tolist(), franchise.tolist(), strict=True))
    errors: list[npt.NDArray[np.float64]] = []
    ndcgs, recalls, new_ndcgs = [], [], []
    shown: set[int] = set()
    for fan in tqdm(fans, desc="evaluate", unit=" fan", disable=not progress):
        scores = score_all(model, fan.visible, Wish(order=order))
        position = model.find(fan.hidden_id)
        known = position >= 0
        errors.append(scores.predicted_score[position[known]] - fan.hidden_score[known])
        ranked = model.anime_id[top(scores.sort_key, scores.allowed, DEPTH)]
        shown.update(ranked[:AT].tolist())
        relevant = fan.hidden_id[fan.hidden_score >= RELEVANT]
        if len(relevant):
            hits = np.isin(ranked[:AT], relevant)
            ndcgs.append(ndcg(hits, len(relevant), AT))
            recalls.append(recall(hits, len(relevant), AT))
        new = _new_franchises(group_of, fan, ranked, relevant)
        if new is not None:
            new_ndcgs.append(ndcg(*new, AT))
    error = np.concatenate(errors)
    return {
        "rmse": float(np.sqrt(np.mean(error**2))) if len(error) else math.nan,
        "mae": float(np.mean(np.abs(error))) if len(error) else math.nan,
        "ndcg@10": _mean(ndcgs),
        "recall@10": _mean(recalls),
        "new_ndcg@10": _mean(new_ndcgs),
        "coverage": len(shown),
        "users": len(fans),
        "pairs": len(error),
    }


def _new_franchises(
    group_of: dict[int, int],
    fan: Fan,
    ranked: npt.NDArray[np.int32],
    relevant: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.bool_], int] | None:
    """Hits and number of relevant franchises among those that are not on the visible list."""

    def group(anime_id: int) -> int:
        known = group_of.get(anime_id, -1)
        return known if known >= 0 else -1 - anime_id  # an anime without a group is its own

    seen = {group(anime_id) for anime_id in fan.visible.anime_id.tolist()}
    wanted = {group(anime_id) for anime_id in relevant.tolist()} - seen
    if not wanted:
        return None
    new = dict.fromkeys(group(anime_id) for anime_id in ranked.tolist())
    return np.array([g in wanted for g in new if g not in seen][:AT], bool), len(wanted)


def _by_user(ratings: Ratings) -> Iterator[tuple[object, npt.NDArray[np.int64]]]:
    order = np.argsort(ratings.user, kind="stable")
    edges = np.cumsum(np.bincount(ratings.user, minlength=len(ratings.user_ids)))
    return zip(ratings.user_ids.to_list(), np.split(order, edges[:-1]), strict=True)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan
