"""Affinity: a linear item-item model of which anime users pick and love, in closed form.

Every list gives two rows: X, how strongly each entry speaks
(`app.recommender.input_weights`), and Y, how much it is worth finding (`item_relevance`).
B minimises

    || Y - X B ||^2 + sum_j (ridge + dropout G_jj) ||B_j.||^2,   diag(B) = 0,   G = X'X

EASE^R (Steck, WWW 2019, eq. 3) with the dropout of EDLAE (Steck, NeurIPS 2020, eq. 8) and a target
of its own, so that what a user watches predicts what the user will love. With P = (G + diag)^-1 and
W = P X'Y the constraint gives B_.j = W_.j - P_.j W_jj / P_jj. At last every column is divided by a
small power of how many lists the anime is on, which trades a little accuracy on hits for variety.

It is solved twice: for full histories, and with far more dropout for very short ones.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from app.recommender.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    FloatArray,
    Int8Array,
    Int32Array,
    Int64Array,
    UInt8Array,
)
from app.recommender.input_weights import InputWeights
from model_build.data.grouping import (
    GroupedEntries,
    UserItemGroups,
    UserItemIndex,
    argsort_descending,
    count_entries_per_item,
    group_entries,
)
from model_build.data.ratings import Ratings
from model_build.train.intrinsics import (
    PREFETCH_DISTANCE,
    PREFETCH_ENTRIES,
    add_outer_product,
    prefetch_element,
)
from model_build.train.linear_algebra import (
    copy_lower_to_upper,
    copy_upper_to_lower,
    invert_spd_in_place,
)
from model_build.util.errors import InputError
from model_build.util.progress import ProgressCallback, no_progress
from model_build.util.threads import available_cpus, balanced_ranges, run_over_ranges

RELEVANCE_SLOPE, RELEVANCE_MIDPOINT = 1.5, 7.2
"""Of a score's relevance: how steep it is, and the score that has half of it."""
UNRATED_RELEVANCE = 0.3
POPULARITY_REFERENCE = 1000.0
INPUT_WEIGHTS = InputWeights(slope=0.3, midpoint=7.5, unscored=0.5, minimum=0.1)
"""The model records them: serving weighs a list as training did."""
MIN_ENTRIES = 10
"""Lists that an anime must be on to give and get affinities."""
ROWS_PER_BLOCK = 1024
CHUNK_ENTRIES = 16_000_000
WORK_RANGES = 64
USERS_PER_MIN_ENTRY = 2000


def item_relevance(rating: Float64Array | UInt8Array) -> Float64Array:
    """How much an entry is worth finding: 0.04 for a 5, 0.77 for an 8, 0.985 for a 10.

    Parameters
    ----------
    rating
        (n,) from 1 to 10, or 0 for an entry without one, which is worth 0.3.
    """
    graded = 1.0 / (1.0 + np.exp(-RELEVANCE_SLOPE * (rating - RELEVANCE_MIDPOINT)))
    return np.where(rating > 0, graded, UNRATED_RELEVANCE)


@dataclass(frozen=True, slots=True)
class EaseRegularisation:
    """``ridge`` and ``dropout`` as in the formula; the power of the popularity in the last step."""

    ridge: float
    dropout: float
    popularity_power: float


FULL_HISTORY = EaseRegularisation(ridge=150.0, dropout=0.3, popularity_power=0.14)
SHORT_HISTORY = EaseRegularisation(ridge=20.0, dropout=32.0, popularity_power=0.0)
"""Dropout of 32 trains for lists of which all but one entry in 33 is missing."""


@dataclass(frozen=True, slots=True)
class GramMatrices:
    """Sums over users: ``gram`` X'X and ``cross`` X'Y, (m, m) float32, over the items ``known``.

    ``known`` (m,) are positions among ``n_items``, ``count`` (m,) how many lists each is on. Sums
    over different users and the same items can be added. Of ``gram`` the upper triangle counts,
    without the diagonal, which is ``squares`` (m,); the rest of its memory is worked in.
    """

    known: Int64Array
    count: Int64Array
    n_items: int
    gram: Float32Array
    squares: Float32Array
    cross: Float32Array


@dataclass(frozen=True, slots=True)
class WeightedEntries(UserItemGroups):
    """Grouped entries with x and y of each, (n,) float32, parallel to ``user_item``."""

    input_weight: Float32Array
    relevance: Float32Array


def default_min_entries(n_users: int) -> int:
    """On how many lists an anime must be to have affinities: ten, and one of 2,000.

    The solution takes the cube of how many anime there are, and of those that many users list the
    last third are on hardly any list. `docs/scale.md` has what leaving them out costs.
    """
    return max(MIN_ENTRIES, n_users // USERS_PER_MIN_ENTRY)


def items_with_affinity(
    entry_count: Int64Array, min_entries: int, max_items: int | None = None
) -> Int64Array:
    """Positions of the items on at least ``min_entries`` lists, by falling ``entry_count`` (n,).

    At most ``max_items``; none if there is only one, which has nothing to relate to.
    """
    most = int((entry_count >= min_entries).sum())
    known = argsort_descending(entry_count)[:most][:max_items]
    return known if len(known) > 1 else known[:0]


def weigh_entries(
    groups: GroupedEntries, rating: Float64Array | UInt8Array, status: Int8Array | UInt8Array
) -> WeightedEntries:
    """Give grouped entries their x and y, (entries,), as ``rating`` and ``status`` are."""
    rating = rating[groups.user_entry].astype(np.float64, copy=False)
    status = status[groups.user_entry].astype(np.int8, copy=False)
    return WeightedEntries(
        *groups.index,
        INPUT_WEIGHTS.of_entries(rating, status).astype(np.float32),
        item_relevance(rating).astype(np.float32),
    )


def compute_gram_matrices(
    ratings: Ratings,
    *,
    min_entries: int = MIN_ENTRIES,
    max_items: int | None = None,
    threads: int | None = None,
) -> GramMatrices:
    """Sum up what `solve_ease` takes, whatever the regularisation.

    It is over the items on at least ``min_entries`` lists, at most the ``max_items`` on most.
    Products of two items are added up in double precision over some millions of entries at a
    time, and these sums in single precision: relative errors stay near 1e-7.
    """
    n_items = len(ratings.anime_ids)
    count = count_entries_per_item(ratings.item, n_items)
    # The items on most lists first, so that what is accumulated lands in the same cache lines.
    known = items_with_affinity(count, min_entries, max_items)
    m = len(known)
    gram, cross = np.zeros((m, m), np.float32), np.zeros((m, m), np.float32)
    rank = np.full(n_items, -1, np.int64)
    rank[known] = np.arange(m)
    with ThreadPoolExecutor(threads or available_cpus()) as pool:
        for entries in _user_chunks(ratings.user) if m else ():
            user, item = ratings.user[entries], ratings.item[entries]
            base = int(user.min())
            n_users = int(user.max()) - base + 1
            grouped = group_entries(user - np.int32(base), item, rank, n_users, m, rank[item] >= 0)
            weighted = weigh_entries(grouped, ratings.rating[entries], ratings.status[entries])
            cost = balanced_ranges(weighted.count_item_pairs() + np.arange(m), WORK_RANGES)
            values = weighted.input_weight, weighted.relevance
            run_over_ranges(pool, _accumulate_gram_rows, cost, weighted.index, *values, gram, cross)
    squares = gram.diagonal().copy()
    copy_lower_to_upper(gram)
    return GramMatrices(known, count[known], n_items, gram, squares, cross)


def _user_chunks(user: Int32Array) -> list[Int64Array | slice]:
    """Entries of whole users, about `CHUNK_ENTRIES` at a time."""
    if len(user) <= CHUNK_ENTRIES:
        return [slice(None)]
    if (user[1:] < user[:-1]).any():
        order = np.argsort(user, kind="stable")
        return [order[a:b] for a, b in pairwise(_chunk_bounds(user[order]))]
    return [slice(a, b) for a, b in pairwise(_chunk_bounds(user))]


def _chunk_bounds(user: Int32Array) -> list[int]:
    at = np.arange(CHUNK_ENTRIES, len(user), CHUNK_ENTRIES)
    heads = np.searchsorted(user, user[at])
    return [0, *np.unique(heads[heads > 0]).tolist(), len(user)]


class GramMatrixBuilder:
    """Gram matrices from blocks of rows of the sums over all users.

    Parameters
    ----------
    known
        (m,) positions of the items with affinities.
    entry_count
        (n_items,) lists that each item is on.
    numbers
        (k,) positions of the items by the number that the blocks know them by.
    """

    def __init__(self, known: Int64Array, entry_count: Int64Array, numbers: Int64Array) -> None:
        row = np.full(len(entry_count), -1, np.int64)
        row[known] = np.arange(len(known))
        self._row = row[numbers]
        self._known, self._count, self._n_items = known, entry_count[known], len(entry_count)
        self._gram = np.zeros((len(known), len(known)), np.float32)
        self._cross = np.zeros_like(self._gram)

    def add_block(self, first: int, block: FloatArray) -> None:
        """Take (x_i x_j, x_i y_j, y_i x_j) of the items i from ``first`` and all j <= i."""
        last = first + len(block)
        i, j = (np.flatnonzero(self._row[a:last] >= 0) for a in (first, 0))
        sums = block[np.ix_(i, j)]
        rows, columns = self._row[first:last][i], self._row[:last][j]
        self._gram[np.ix_(rows, columns)] += sums[:, :, 0]
        self._cross[np.ix_(rows, columns)] += sums[:, :, 1]
        below = (j < (first + i)[:, None]).T  # what is above the diagonal is 0, in part
        self._gram[np.ix_(columns, rows)] += np.where(below, sums[:, :, 0].T, 0.0)
        self._cross[np.ix_(columns, rows)] += np.where(below, sums[:, :, 2].T, 0.0)

    def build(self) -> GramMatrices:
        """Make the matrices, after all blocks."""
        squares = self._gram.diagonal().copy()
        return GramMatrices(
            self._known, self._count, self._n_items, self._gram, squares, self._cross
        )


class EaseWeights(NamedTuple):
    """Two matrices (n_items, n_items) float32: row j is the anime on the list, i is recommended.

    ``largest`` has the weights of largest magnitude of each row, ``tail`` those to the little known
    that are not among them. Items that the sums are not over have neither row nor column.
    """

    largest: csr_array
    tail: csr_array


def solve_ease(
    gram_matrices: GramMatrices,
    regularisation: EaseRegularisation,
    n_neighbours: int,
    *,
    tail: BoolArray | None = None,
    n_tail: int = 0,
    threads: int | None = None,
    step: str = "affinity",
    on_progress: ProgressCallback = no_progress,
) -> EaseWeights:
    """Solve for one regularisation; others may follow on the same sums.

    Memory: besides the sums, two blocks of rows a thread.

    Parameters
    ----------
    tail
        (n_items,) bool, items that are seldom among the largest weights of a row. Of theirs the
        ``n_tail`` largest above 0 are returned apart.
    """
    n_items, known = gram_matrices.n_items, gram_matrices.known
    if not len(known):
        return EaseWeights(*(csr_array((n_items, n_items), dtype=np.float32) for _ in range(2)))
    gram, cross = gram_matrices.gram, gram_matrices.cross
    copy_upper_to_lower(gram)
    np.einsum("ii->i", gram)[:] = gram_matrices.squares * np.float32(
        1.0 + regularisation.dropout
    ) + np.float32(regularisation.ridge)
    try:
        invert_spd_in_place(gram)
    except ArithmeticError:  # anime on the same lists, say, cannot be told apart without it
        raise InputError(
            f"--affinity-ridge {regularisation.ridge:g}: is too little for the affinity to be "
            f"solved for; the default is {FULL_HISTORY.ridge:g}."
        ) from None
    scale = (
        (gram_matrices.count / POPULARITY_REFERENCE) ** -regularisation.popularity_power
    ).astype(np.float32)
    multiplier = np.empty(len(known), np.float32)
    blocks = _row_blocks(len(known))
    for rows in blocks:
        product = _symmetric_rows(gram, rows) * cross[:, rows].T
        multiplier[rows] = product.sum(axis=1)
    multiplier /= gram.diagonal()
    n_neighbours = min(n_neighbours, len(known) - 1)
    in_tail = np.zeros(len(known), bool) if tail is None else tail[known]
    n_tail = min(n_tail, int(in_tail.sum()))
    value, index = _empty_rows(len(known), n_neighbours)
    tail_value, tail_index = _empty_rows(len(known), n_tail)

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
        if n_tail:
            np.put_along_axis(weights, best, 0.0, axis=1)
            of_tail = np.where(in_tail, np.maximum(weights, 0.0), -1.0)
            more = np.argpartition(-of_tail, n_tail - 1, axis=1)[:, :n_tail]
            tail_value[rows] = np.take_along_axis(of_tail, more, axis=1)
            tail_index[rows] = known[more]

    # A block a thread; threads of BLAS within would wait for one another.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads or available_cpus()) as pool:
        for done, _ in enumerate(pool.map(fill_rows, blocks), 1):
            on_progress(step, done, len(blocks))
    tails = _to_item_matrix(tail_value, tail_index, known, n_items)
    tails.eliminate_zeros()
    return EaseWeights(_to_item_matrix(value, index, known, n_items), tails)


def _empty_rows(rows: int, columns: int) -> tuple[Float32Array, Int32Array]:
    return np.empty((rows, columns), np.float32), np.empty((rows, columns), np.int32)


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
    """Weights by rank of the giving item as a matrix over all items in their original order."""
    size = np.zeros(n_items, np.int64)
    size[known] = value.shape[1]
    indptr = np.concatenate([[0], np.cumsum(size)])
    order = np.argsort(known)
    matrix = csr_array(
        (value[order].ravel(), index[order].ravel(), indptr), shape=(n_items, n_items)
    )
    matrix.sort_indices()
    return matrix


@numba.njit(nogil=True, cache=True)
def accumulate_gram_pairs(
    i: int,
    index: UserItemIndex,
    input_weight: Float32Array,
    relevance: Float32Array,
    sums: Float64Array,
) -> None:
    """Add x_i x_j, x_i y_j, y_i x_j of every user to ``sums`` (items, 4) at each j <= i."""
    user_indptr, user_item, item_indptr, item_user, item_position = index
    stop = item_indptr[i + 1]
    for p in range(item_indptr[i], stop):
        if p + PREFETCH_DISTANCE < stop:
            ahead = np.int64(item_position[p + PREFETCH_DISTANCE])
            begin = user_indptr[item_user[p + PREFETCH_DISTANCE]]
            prefetch_element(input_weight, ahead)
            prefetch_element(relevance, ahead)
            for k in range(begin, min(ahead, begin + PREFETCH_ENTRIES), 16):
                prefetch_element(user_item, k)
                prefetch_element(input_weight, k)
                prefetch_element(relevance, k)
        position = item_position[p]
        x, y = np.float64(input_weight[position]), np.float64(relevance[position])
        for q in range(np.uint64(user_indptr[item_user[p]]), np.uint64(position) + np.uint64(1)):
            add_outer_product(
                sums,
                np.int64(user_item[q]),
                x,
                y,
                np.float64(input_weight[q]),
                np.float64(relevance[q]),
            )


@numba.njit(nogil=True, cache=True)
def _accumulate_gram_rows(
    first: int,
    last: int,
    index: UserItemIndex,
    input_weight: Float32Array,
    relevance: Float32Array,
    gram: Float32Array,
    cross: Float32Array,
) -> None:
    """Add to X'X and X'Y the products of the items i in [first, last) and the j <= i.

    Each pair of items is met once: its four products are added up together, in double precision. Of
    ``gram`` only the lower triangle is written; of ``cross`` row and column i.
    """
    sums = np.zeros((last, 4))
    for i in range(first, last):
        accumulate_gram_pairs(i, index, input_weight, relevance, sums)
        for j in range(i):
            gram[i, j] += sums[j, 0]
            cross[i, j] += sums[j, 1]
            cross[j, i] += sums[j, 2]
            sums[j, 0] = sums[j, 1] = sums[j, 2] = sums[j, 3] = 0.0
        gram[i, i] += sums[i, 0]
        cross[i, i] += sums[i, 1]
        sums[i, 0] = sums[i, 1] = sums[i, 2] = sums[i, 3] = 0.0
