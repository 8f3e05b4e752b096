"""Fans that a model was not trained on: what it may see of each, and what it must find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from app.recommender import UserList
from app.recommender.array_types import Float64Array, Int64Array
from model_build.data.ratings import Ratings
from model_build.util.errors import InputError


def _no_ids() -> Int64Array:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class HoldoutUser:
    """One fan's visible list and hidden scores (ids int64, scores float64).

    ``withheld`` are ids that are neither shown to the model nor to be found by it: what was cut
    from a list to make it short.
    """

    visible: UserList
    hidden_ids: Int64Array
    hidden_scores: Float64Array
    excluded_ids: Int64Array = field(default_factory=_no_ids)


def join_holdout(lists: Ratings, holdout: Ratings) -> list[HoldoutUser]:
    """Join the two files by user id; a fan without a visible list comes with an empty one.

    Raises:
        InputError: the files share no user, or an anime is both visible and hidden.
    """
    visible = {str(user): rows for user, rows in _rows_by_user(lists)}
    fans = []
    for user, rows in _rows_by_user(holdout):
        seen = visible.get(str(user), _no_ids())
        hidden_id = holdout.anime_ids[holdout.item[rows]].astype(np.int64)
        seen_id = lists.anime_ids[lists.item[seen]].astype(np.int64)
        both = np.intersect1d(hidden_id, seen_id)
        if len(both):
            raise InputError(
                f"user {user}: anime {both[0]} is both in the lists and in the holdout file; "
                "what must be found must not be seen."
            )
        scored = holdout.rating[rows] > 0
        listed = UserList(seen_id, lists.rating[seen], lists.status[seen])
        fans.append(HoldoutUser(listed, hidden_id[scored], holdout.rating[rows][scored]))
    if not any(len(fan.visible.anime_id) for fan in fans):
        raise InputError("the lists and the holdout file have no user in common.")
    return fans


def truncate_history(users: Sequence[HoldoutUser], length: int, seed: int) -> list[HoldoutUser]:
    """The fans with at least ``length`` visible entries, each with that many, drawn at random.

    The other entries are withheld. With the same seed a longer list holds the shorter one.
    """
    rng = np.random.default_rng(seed)
    cut = []
    for fan in users:
        ids = fan.visible.anime_id
        order = rng.permutation(len(ids))
        if len(ids) < length:
            continue
        kept = np.sort(order[:length])
        listed = UserList(ids[kept], fan.visible.score[kept], fan.visible.status[kept])
        cut.append(replace(fan, visible=listed, excluded_ids=ids[order[length:]]))
    return cut


def _rows_by_user(ratings: Ratings) -> Iterator[tuple[object, Int64Array]]:
    order = np.argsort(ratings.user, kind="stable")
    edges = np.cumsum(np.bincount(ratings.user, minlength=len(ratings.user_ids)))
    return zip(ratings.user_ids.to_list(), np.split(order, edges[:-1]), strict=True)
