"""Baseline estimates b_ui = mu + b_u + b_i by alternating least squares.

Koren, "Factor in the Neighbors" (TKDD 2010), section 2.1, in the order and with the defaults of
scikit-surprise: items first, then users, ten times.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np

from app.recommender.array_types import Float64Array, Int32Array, Int64Array
from model_build.data.grouping import GroupedRatings
from model_build.util.threads import available_cpus, balanced_ranges, run_over_ranges

RANGES_PER_THREAD = 4


@dataclass(frozen=True, slots=True)
class BiasModel:
    """``mean`` of all ratings; ``user_bias`` (n_users,) and ``item_bias`` (n_items,), float64.

    ``item_bias`` is in the original order of the items, ``residual`` (n_ratings,) is of the ratings
    grouped by user.
    """

    mean: float
    user_bias: Float64Array
    item_bias: Float64Array
    residual: Float64Array

    @classmethod
    def of_items(cls, mean: float, item_bias: Float64Array) -> BiasModel:
        """Make one of the biases (n_items,) alone, without users and residuals."""
        none = np.zeros(0)
        return cls(mean, none, item_bias, none)


def fit_bias_model(
    ratings: GroupedRatings,
    *,
    reg_user: float = 15.0,
    reg_item: float = 10.0,
    epochs: int = 10,
    threads: int | None = None,
) -> BiasModel:
    """Fit mu, b_u and b_i; the same whatever the threads.

    Because users come last in an epoch, each b_u is the closed-form solution for the final item
    biases: a user folded in by `app.recommender.fold_in` gets the very bias that training on the
    same list would have given.
    """
    threads = threads or available_cpus()
    mean = float(ratings.user_rating.mean())
    centred = ratings.user_rating - mean
    # By item as well: read one after the other instead of all over memory.
    item_centred = centred[ratings.item_position]
    user_bias = np.zeros(ratings.n_users)
    item_bias = np.zeros(ratings.n_items)
    users = balanced_ranges(np.diff(ratings.user_indptr) + 1, threads * RANGES_PER_THREAD)
    items = balanced_ranges(np.diff(ratings.item_indptr) + 1, threads * RANGES_PER_THREAD)
    of_items = (ratings.item_indptr, ratings.item_user, item_centred)
    of_users = (ratings.user_indptr, ratings.user_item, centred)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(epochs):
            run_over_ranges(pool, update_biases, items, *of_items, user_bias, reg_item, item_bias)
            run_over_ranges(pool, update_biases, users, *of_users, item_bias, reg_user, user_bias)
        del item_centred, of_items
        of_ratings = (ratings.user_indptr, ratings.user_item, user_bias, item_bias, centred)
        run_over_ranges(pool, subtract_biases, users, *of_ratings)
    return BiasModel(mean, user_bias, item_bias[ratings.rank], centred)


@numba.njit(nogil=True, cache=True)
def update_biases(
    first: int,
    last: int,
    start: Int64Array,
    other: Int32Array,
    centred: Float64Array,
    other_bias: Float64Array,
    reg: float,
    bias: Float64Array,
) -> None:
    """One half step of the alternating least squares, in place on the biases (n,).

    Items and users [first, last) so that threads can share a step; ``start`` delimits the ratings
    of each, ``other`` is the user or item at their other end.
    """
    for i in range(first, last):
        total = 0.0
        for p in range(start[i], start[i + 1]):
            total += centred[p] - other_bias[other[p]]
        weight = reg + (start[i + 1] - start[i])
        bias[i] = total / weight if weight > 0 else 0.0


@numba.njit(nogil=True, cache=True)
def subtract_biases(
    first: int,
    last: int,
    user_indptr: Int64Array,
    user_item: Int32Array,
    user_bias: Float64Array,
    item_bias: Float64Array,
    centred: Float64Array,
) -> None:
    """Subtract biases from centred ratings (n_ratings,), in place."""
    for u in range(first, last):
        for q in range(user_indptr[u], user_indptr[u + 1]):
            centred[q] = centred[q] - user_bias[u] - item_bias[user_item[q]]


@numba.njit(nogil=True, cache=True)
def sum_squared_residuals(
    first: int, last: int, user_indptr: Int64Array, residual: Float64Array, total: Float64Array
) -> None:
    """Sum up the squared residuals (n_ratings,) of each user into ``total`` (users,)."""
    for u in range(first, last):
        summed = 0.0
        for q in range(user_indptr[u], user_indptr[u + 1]):
            summed += residual[q] * residual[q]
        total[u] = summed
