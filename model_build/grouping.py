"""The ratings grouped by user and by anime at once, the form in which training walks over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True)
class GroupedRatings:
    """Scored entries grouped both ways, anime renumbered by falling number of ratings.

    With the most rated anime first, whatever is accumulated over a fan's list lands mostly in the
    same few cache lines. ``order[k]`` is the original index of the anime with number k, and
    ``rank`` its inverse.

    By user: ``user_start`` (n_users + 1,) delimits ``user_item`` and ``user_rating``, the numbers
    ascending within a user. By item: ``item_start`` (n_items + 1,) delimits ``item_user`` and
    ``item_position``, where the same rating stands in the arrays by user.
    """

    order: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    user_start: npt.NDArray[np.int64]
    user_item: npt.NDArray[np.int32]
    user_rating: npt.NDArray[np.float64]
    item_start: npt.NDArray[np.int64]
    item_user: npt.NDArray[np.int32]
    item_position: npt.NDArray[np.int64]

    @property
    def n_users(self) -> int:
        return len(self.user_start) - 1

    @property
    def n_items(self) -> int:
        return len(self.item_start) - 1


def group_ratings(
    user: npt.NDArray[np.int32],
    item: npt.NDArray[np.int32],
    rating: npt.NDArray[np.float64],
    n_users: int,
    n_items: int,
) -> GroupedRatings:
    """Group parallel arrays of scored entries, each (user, item) at most once."""
    order = np.argsort(-np.bincount(item, minlength=n_items), kind="stable")
    rank = np.empty(n_items, np.int64)
    rank[order] = np.arange(n_items)
    # scipy's converters group in linear time and leave each group ascending: through columns first.
    shape = (n_users, n_items)
    by_item = csr_array((rating, (user, rank[item].astype(np.int32))), shape=shape).tocsc()
    by_user = by_item.tocsr()
    numbered = csr_array(
        (np.arange(len(rating)), by_user.indices, by_user.indptr), shape=shape
    ).tocsc()
    return GroupedRatings(
        order=order,
        rank=rank,
        user_start=by_user.indptr.astype(np.int64),
        user_item=by_user.indices.astype(np.int32, copy=False),
        user_rating=by_user.data,
        item_start=numbered.indptr.astype(np.int64),
        item_user=numbered.indices.astype(np.int32, copy=False),
        item_position=numbered.data,
    )
