"""Affinity: a linear item-item model of which anime fans pick and love, in closed form.

Every list gives two rows: X, how strongly each entry speaks (`app.recommender.fold_in.input_weight`),
and Y, how much we want to find it (`appeal`). B minimises

    || Y - X B ||^2 + sum_j (ridge + dropout G_jj) ||B_j.||^2,   diag(B) = 0,   G = X'X

EASE^R (Steck, WWW 2019) with the dropout of EDLAE (Steck, NeurIPS 2020) and a target of its own, so
that what a fan *watches* predicts what the fan will *love*. With P = (G + diag)^-1 and W = P X'Y
the constraint gives B_.j = W_.j - P_.j W_jj / P_jj. At last every column is divided by a small
power of how many lists the anime is on, which trades a little accuracy on hits for variety.

It is solved twice: for full lists, and with far more dropout for lists of a handful of titles.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from app.recommender.fold_in import input_weight
from app.recommender.rank import RARE_ITEM_LISTS
from model_build.data.grouping import argsort_descending, count_entries_per_item, group_entries
from model_build.data.ratings import Ratings
from model_build.train.intrinsics import add_outer_product, prefetch_element
from model_build.train.linear_algebra import (
    copy_lower_to_upper,
    copy_upper_to_lower,
    invert_spd_in_place,
)
from model_build.train.similarity import count_item_pairs
from model_build.util.threads import available_cpus, balanced_ranges, run_over_ranges

UNRATED_RELEVANCE = 0.3
POPULARITY_REFERENCE = 1000.0
MIN_ENTRIES = RARE_ITEM_LISTS
"""Lists that an anime must be on to give and get affinities."""
ROWS_PER_BLOCK = 1024
CHUNK_ENTRIES = 16_000_000
WORK_RANGES = 64
GRAM_ARRAYS = ("known", "count", "gram", "squares", "cross")
USERS_PER_MIN_ENTRY = 2000


def item_relevance(rating: Float64Array) -> Float64Array:
    """How much an entry is worth finding: 0.04 for a 5, 0.77 for an 8, 0.985 for a 10."""
    graded = 1.0 / (1.0 + np.exp(-1.5 * (rating - 7.2)))
    return np.where(rating > 0, graded, UNRATED_RELEVANCE)


def mean_item_relevance(ratings: Ratings) -> Float64Array:
    """The mean of `appeal` over all fans (0 where an anime is not on the list), (n_items,)."""
    total = np.zeros(len(ratings.anime_ids))
    for first in range(0, len(ratings), CHUNK_ENTRIES):
        piece = slice(first, first + CHUNK_ENTRIES)
        total += np.bincount(ratings.item[piece], item_relevance(ratings.rating[piece]), len(total))
    return np.asarray(total / len(ratings.user_ids))


@dataclass(frozen=True, slots=True)
class EaseRegularisation:
    """``ridge`` and ``dropout`` as in the formula; ``popularity`` is the power of the last step."""

    ridge: float
    dropout: float
    popularity_power: float


FULL_HISTORY = EaseRegularisation(ridge=150.0, dropout=0.3, popularity_power=0.14)
SHORT_HISTORY = EaseRegularisation(ridge=20.0, dropout=32.0, popularity_power=0.0)
"""Dropout of 32 trains for lists of which all but one entry in 33 is missing."""


@dataclass(frozen=True, slots=True)
class GramMatrices:
    """Sums over fans: ``gram`` X'X and ``cross`` X'Y (m, m) over the anime ``known`` (m,).

    ``count`` (m,) is how many lists each is on, ``n_items`` how many anime there are in all. Sums
    of different fans over the same anime can be added. Of ``gram`` the upper triangle counts,
    without the diagonal, which is ``squares`` (m,); the rest of its memory is worked in.
    """

    known: Int64Array
    count: Int64Array
    n_items: int
    gram: Float32Array
    squares: Float32Array
    cross: Float32Array

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What there is to keep of it."""
        return {name: getattr(self, name) for name in GRAM_ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], n_items: int) -> GramMatrices:
        """What `arrays` gave."""
        return cls(n_items=n_items, **{name: arrays[name] for name in GRAM_ARRAYS})


def default_min_entries(n_users: int) -> int:
    """On how many lists an anime must be to have affinities: ten, and one of 2,000.

    The solution takes the cube of how many anime there are, and of those that many fans list the
    last third are on hardly any list. `docs/scale.md` has what leaving them out costs.
    """
    return max(MIN_ENTRIES, n_users // USERS_PER_MIN_ENTRY)


def compute_gram_matrices(
    ratings: Ratings,
    *,
    min_entries: int = MIN_ENTRIES,
    max_items: int | None = None,
    threads: int | None = None,
) -> GramMatrices:
    """What `solve` needs of the ratings: the same whatever the regularisation.

    Looked at are anime on at least ``min_entries`` lists, at most the ``most_anime`` on most. What
    two anime have in common is added up in double precision over some millions of entries at a
    time, and these sums in single precision: relative errors stay near 1e-7.
    """
    n_items = len(ratings.anime_ids)
    count = count_entries_per_item(ratings.item, n_items)
    # The anime on most lists first, so that what is accumulated lands in the same cache lines.
    known = argsort_descending(count)[: int((count >= min_entries).sum())][:max_items]
    if len(known) < 2:  # nothing to relate to
        known = known[:0]
    m = len(known)
    gram, cross = np.zeros((m, m), np.float32), np.zeros((m, m), np.float32)
    with ThreadPoolExecutor(threads or available_cpus()) as pool:
        for lists in _user_chunks(ratings) if m else ():
            _accumulate_gram_chunk(ratings, lists, known, gram, cross, pool)
    squares = gram.diagonal().copy()
    copy_lower_to_upper(gram)
    return GramMatrices(known, count[known], n_items, gram, squares, cross)


def _user_chunks(ratings: Ratings) -> list[Int64Array | slice]:
    """Entries of whole fans, about `PIECE_ENTRIES` at a time."""
    if len(ratings) <= CHUNK_ENTRIES:
        return [slice(None)]
    user = ratings.user
    if (user[1:] < user[:-1]).any():
        order = np.argsort(user, kind="stable")
        cuts = _chunk_bounds(user[order])
        return [order[a:b] for a, b in pairwise(cuts)]
    return [slice(a, b) for a, b in pairwise(_chunk_bounds(user))]


def _chunk_bounds(user: Int32Array) -> list[int]:
    at = np.arange(CHUNK_ENTRIES, len(user), CHUNK_ENTRIES)
    heads = np.searchsorted(user, user[at])
    return [0, *np.unique(heads[heads > 0]).tolist(), len(user)]


def _accumulate_gram_chunk(
    ratings: Ratings,
    entries: Int64Array | slice,
    known: Int64Array,
    gram: Float32Array,
    cross: Float32Array,
    pool: ThreadPoolExecutor,
) -> None:
    """Add the lists of some fans to X'X (lower triangle) and X'Y over the known anime."""
    user, item = ratings.user[entries], ratings.item[entries]
    base = int(user.min())
    rank = np.full(len(ratings.anime_ids), -1, np.int64)
    rank[known] = np.arange(len(known))
    lists = group_entries(
        user - np.int32(base), item, rank, int(user.max()) - base + 1, len(known), rank[item] >= 0
    )
    rating = ratings.rating[entries][lists.user_entry]
    weight = input_weight(rating, ratings.status[entries][lists.user_entry]).astype(np.float32)
    relevance = item_relevance(rating).astype(np.float32)
    cost = np.empty(len(known), np.int64)
    count_item_pairs(lists.item_start, lists.item_user, lists.item_position, lists.user_start, cost)
    run_over_ranges(
        pool,
        accumulate_gram_rows,
        balanced_ranges(cost + np.arange(len(known)), WORK_RANGES),
        lists.item_start,
        lists.item_user,
        lists.item_position,
        lists.user_start,
        lists.user_item,
        weight,
        relevance,
        gram,
        cross,
    )


def solve_ease(
    gram_matrices: GramMatrices,
    regularisation: EaseRegularisation,
    n_neighbours: int,
    *,
    threads: int | None = None,
    progress: bool = False,
) -> csr_array:
    """The affinity for one regularisation, (n_items, n_items) float32; others may follow.

    Row j is the anime on the list, column i the one recommended; of each row the ``keep`` weights
    of largest magnitude are kept. Anime that `add_grams` did not look at neither give nor get any.
    Memory: besides the sums, two blocks of rows a thread.
    """
    n_items, known = gram_matrices.n_items, gram_matrices.known
    if not len(known):
        return csr_array((n_items, n_items), dtype=np.float32)
    gram, cross = gram_matrices.gram, gram_matrices.cross
    copy_upper_to_lower(gram)
    np.einsum("ii->i", gram)[:] = gram_matrices.squares * np.float32(
        1.0 + regularisation.dropout
    ) + np.float32(regularisation.ridge)
    invert_spd_in_place(gram)
    scale = (
        (gram_matrices.count / POPULARITY_REFERENCE) ** -regularisation.popularity_power
    ).astype(np.float32)
    multiplier = np.empty(len(known), np.float32)
    for rows in _row_blocks(len(known)):
        product = _symmetric_rows(gram, rows) * cross[:, rows].T
        multiplier[rows] = product.sum(axis=1)
    multiplier /= gram.diagonal()
    n_neighbours = min(n_neighbours, len(known) - 1)
    value = np.empty((len(known), n_neighbours), np.float32)
    index = np.empty((len(known), n_neighbours), np.int32)

    def fill_rows(rows: slice) -> None:
        inverse = _symmetric_rows(gram, rows)
        weights = inverse @ cross
        weights -= inverse * multiplier
        at = np.arange(len(weights))
        weights[at, rows.start + at] = 0.0
        weights *= scale
        best = np.argpartition(-np.abs(weights), n_neighbours - 1, axis=1)[:, :n_neighbours]
        value[rows] = np.take_along_axis(weights, best, axis=1)
        index[rows] = known[best]

    # A block a thread; threads of BLAS within would wait for one another.
    blocks = _row_blocks(len(known))
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads or available_cpus()) as pool:
        filled = pool.map(fill_rows, blocks)
        list(tqdm(filled, "affinity", len(blocks), unit=" block", disable=not progress))
    return _to_item_matrix(value, index, known, n_items)


def _row_blocks(size: int) -> list[slice]:
    return [
        slice(first, min(first + ROWS_PER_BLOCK, size)) for first in range(0, size, ROWS_PER_BLOCK)
    ]


def _symmetric_rows(lower: Float32Array, rows: slice) -> Float32Array:
    """Whole rows of a symmetric matrix of which the lower triangle is there."""
    whole = np.empty((rows.stop - rows.start, len(lower)), np.float32)
    whole[:, : rows.start] = lower[rows, : rows.start]
    whole[:, rows.stop :] = lower[rows.stop :, rows].T
    square = lower[rows, rows]
    whole[:, rows] = np.tril(square) + np.tril(square, -1).T
    return whole


def _to_item_matrix(
    value: Float32Array, index: Int32Array, known: Int64Array, n_items: int
) -> csr_array:
    """Weights by rank of the giving anime as a matrix over all anime in their original order."""
    size = np.zeros(n_items, np.int64)
    size[known] = value.shape[1]
    start = np.concatenate([[0], np.cumsum(size)])
    order = np.argsort(known)
    kept = csr_array((value[order].ravel(), index[order].ravel(), start), shape=(n_items, n_items))
    kept.sort_indices()
    return kept


PREFETCH_DISTANCE, PREFETCH_ENTRIES = 6, 64
"""Lists are fetched so many ahead, and so many entries of each; measured."""


@numba.njit(nogil=True, cache=True)
def accumulate_gram_pairs(
    i: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    input_weight: Float32Array,
    relevance: Float32Array,
    sums: Float64Array,
) -> None:
    """Add to ``sums[j]`` what anime i and each j <= i have in common: x_i x_j, x_i y_j, y_i x_j."""
    stop = item_start[i + 1]
    for p in range(item_start[i], stop):
        if p + PREFETCH_DISTANCE < stop:
            ahead = np.int64(item_position[p + PREFETCH_DISTANCE])
            begin = user_start[item_user[p + PREFETCH_DISTANCE]]
            prefetch_element(input_weight, ahead)
            prefetch_element(relevance, ahead)
            for k in range(begin, min(ahead, begin + PREFETCH_ENTRIES), 16):
                prefetch_element(user_item, k)
                prefetch_element(input_weight, k)
                prefetch_element(relevance, k)
        position = item_position[p]
        x, y = np.float64(input_weight[position]), np.float64(relevance[position])
        for q in range(np.uint64(user_start[item_user[p]]), np.uint64(position) + np.uint64(1)):
            add_outer_product(
                sums,
                np.int64(user_item[q]),
                x,
                y,
                np.float64(input_weight[q]),
                np.float64(relevance[q]),
            )


@numba.njit(nogil=True, cache=True)
def accumulate_gram_rows(
    first: int,
    last: int,
    item_start: Int64Array,
    item_user: Int32Array,
    item_position: Int32Array,
    user_start: Int64Array,
    user_item: Int32Array,
    input_weight: Float32Array,
    relevance: Float32Array,
    gram: Float32Array,
    cross: Float32Array,
) -> None:
    """Add to X'X and X'Y what the anime i in [first, last) and the j <= i have in common.

    Lists hold their anime in ascending order, and ``anime_position`` says where i stands in each,
    so that every pair of anime is met once: its four products are added up together, in double
    precision. Of ``gram`` only the lower triangle is written; of ``cross`` row and column i.
    """
    sums = np.zeros((last, 4))
    lists = (item_start, item_user, item_position, user_start, user_item, input_weight, relevance)
    for i in range(first, last):
        accumulate_gram_pairs(i, *lists, sums)
        for j in range(i):
            gram[i, j] += sums[j, 0]
            cross[i, j] += sums[j, 1]
            cross[j, i] += sums[j, 2]
            sums[j, 0] = sums[j, 1] = sums[j, 2] = sums[j, 3] = 0.0
        gram[i, i] += sums[i, 0]
        cross[i, i] += sums[i, 1]
        sums[i, 0] = sums[i, 1] = sums[i, 2] = sums[i, 3] = 0.0
