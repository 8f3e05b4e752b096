"""Affinity: a linear item-item model of which anime fans pick and love, in closed form.

Every list gives two rows: X, how strongly each entry speaks (`app.recommender.fold_in.interest`),
and Y, how much we want to find it (`appeal`). B minimises

    || Y - X B ||^2 + sum_j (ridge + dropout G_jj) ||B_j.||^2,   diag(B) = 0,   G = X'X

EASE^R (Steck, WWW 2019) with the dropout of EDLAE (Steck, NeurIPS 2020) and a target of its own, so
that what a fan *watches* predicts what the fan will *love*. With P = (G + diag)^-1 and W = P X'Y
the constraint gives B_.j = W_.j - P_.j W_jj / P_jj. At last every column is divided by a small
power of how many lists the anime is on, which trades a little accuracy on hits for variety.

It is solved twice: for full lists, and with far more dropout for lists of a handful of titles.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.sparse import csr_array
from tqdm import tqdm

from app.recommender.fold_in import interest
from app.recommender.rank import FEW_LISTS
from model_build import affinity_kernels
from model_build.parallel import available_threads, even_ranges, run_ranges
from model_build.ratings import Ratings

Singles = npt.NDArray[np.float32]

UNSCORED_APPEAL = 0.3
TYPICAL_LISTS = 1000.0
MIN_ENTRIES = FEW_LISTS
"""Lists that an anime must be on to give and get affinities."""
COLUMNS = 512


def appeal(rating: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much an entry is worth finding: 0.04 for a 5, 0.77 for an 8, 0.985 for a 10."""
    graded = 1.0 / (1.0 + np.exp(-1.5 * (rating - 7.2)))
    return np.where(rating > 0, graded, UNSCORED_APPEAL)


def mean_appeal(ratings: Ratings) -> npt.NDArray[np.float64]:
    """The mean of `appeal` over all fans (0 where an anime is not on the list), (n_items,)."""
    total = np.bincount(ratings.item, appeal(ratings.rating), len(ratings.anime_ids))
    return np.asarray(total / len(ratings.user_ids))


@dataclass(frozen=True, slots=True)
class Regularisation:
    """``ridge`` and ``dropout`` as in the formula; ``popularity`` is the power of the last step."""

    ridge: float
    dropout: float
    popularity: float


FULL_LISTS = Regularisation(ridge=150.0, dropout=0.3, popularity=0.14)
NEWCOMERS = Regularisation(ridge=20.0, dropout=32.0, popularity=0.0)
"""Dropout of 32 trains for lists of which all but one entry in 33 is missing."""


@dataclass(frozen=True, slots=True)
class Grams:
    """``gram`` X'X and ``cross`` X'Y (m, m) over the anime ``known`` (m,), in that order.

    ``count`` (m,) is how many lists each is on, ``n_items`` how many anime there are in all.
    """

    known: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    n_items: int
    gram: Singles
    cross: Singles


def fit_affinities(
    ratings: Ratings,
    kinds: Sequence[tuple[Regularisation, int]],
    *,
    min_entries: int = MIN_ENTRIES,
    threads: int | None = None,
    progress: bool = False,
) -> list[csr_array]:
    """One (n_items, n_items) float32 matrix for each pair of regularisation and weights to keep.

    Row j is the anime on the list, column i the one recommended; of each row the weights of largest
    magnitude are kept. Anime on fewer than ``min_entries`` lists neither give nor get weights.
    Memory: two dense float32 matrices over the others, and two more if there are several kinds.
    The Gram matrices are added up in float32: terms are of one sign and size, so the relative error
    stays near 1e-6, far below the ridge.
    """
    fitted = []
    with tqdm(total=1 + len(kinds), desc="affinity", unit=" step", disable=not progress) as bar:
        grams = add_grams(ratings, min_entries=min_entries, threads=threads)
        bar.update()
        for left, (kind, keep) in enumerate(kinds, 1 - len(kinds)):
            fitted.append(solve(grams, kind, keep, use_up=left == 0))
            bar.update()
    return fitted


def add_grams(
    ratings: Ratings,
    *,
    min_entries: int = MIN_ENTRIES,
    most_anime: int | None = None,
    threads: int | None = None,
) -> Grams:
    """What `solve` needs of the ratings: the same whatever the regularisation.

    Looked at are anime on at least ``min_entries`` lists, at most the ``most_anime`` on most.
    """
    n_items = len(ratings.anime_ids)
    count = np.bincount(ratings.item, minlength=n_items)
    # The anime on most lists first, so that what is accumulated lands in the same cache lines.
    known = np.argsort(-count, kind="stable")[: int((count >= min_entries).sum())][:most_anime]
    if len(known) < 2:  # nothing to relate to
        known = known[:0]
    gram, cross = _grams(ratings, known, threads or available_threads())
    return Grams(known, count[known], n_items, gram, cross)


def solve(grams: Grams, kind: Regularisation, keep: int, *, use_up: bool = False) -> csr_array:
    """The matrix of `fit_affinities` for one regularisation; ``use_up`` saves two dense copies.

    Grams that were used up cannot be solved again.
    """
    n_items, known = grams.n_items, grams.known
    if not len(known):
        return csr_array((n_items, n_items), dtype=np.float32)
    gram, cross = (grams.gram, grams.cross) if use_up else (grams.gram.copy(), grams.cross.copy())
    scale = (grams.count / TYPICAL_LISTS) ** -kind.popularity
    _solve_in_place(gram, cross, kind, scale.astype(np.float32))
    return _largest_of_rows(cross, known, min(keep, len(known) - 1), n_items)


def _grams(ratings: Ratings, known: npt.NDArray[np.int64], threads: int) -> tuple[Singles, Singles]:
    """X'X and X'Y over the known anime, in their order."""
    if not len(known):
        return np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)
    place = np.full(len(ratings.anime_ids), -1, np.int32)
    place[known] = np.arange(len(known))
    where = np.flatnonzero(place[ratings.item] >= 0)
    shape = (len(ratings.user_ids), len(known))
    by_fan = csr_array((where, (ratings.user[where], place[ratings.item[where]])), shape=shape)
    by_fan.sort_indices()
    entry = by_fan.data
    given = interest(ratings.rating, ratings.status)[entry].astype(np.float32)
    wanted = appeal(ratings.rating)[entry].astype(np.float32)
    by_anime = csr_array(
        (np.arange(len(entry)), by_fan.indices, by_fan.indptr), shape=shape
    ).tocsc()
    gram = np.zeros((len(known), len(known)), np.float32)
    cross = np.zeros_like(gram)
    length = np.diff(by_fan.indptr)
    cost = np.add.reduceat(length[by_anime.indices], by_anime.indptr[:-1])
    with ThreadPoolExecutor(threads) as pool:
        run_ranges(
            pool,
            affinity_kernels.gram_rows,
            even_ranges(cost, 8 * threads),
            by_anime.indptr,
            by_anime.indices,
            given[by_anime.data],
            by_fan.indptr,
            by_fan.indices,
            given,
            wanted,
            gram,
            cross,
        )
    return gram, cross


def _invert_in_place(matrix: Singles) -> Singles:
    """The inverse of a symmetric positive definite matrix, in its own memory (Cholesky)."""
    # The transpose of a symmetric C-ordered matrix is a Fortran-ordered view of the same memory.
    factor, failed = lapack.spotrf(matrix.T, lower=0, overwrite_a=1, clean=0)
    if not failed:
        factor, failed = lapack.spotri(factor, lower=0, overwrite_c=1)
    if failed:
        raise ArithmeticError("the affinity's Gram matrix is singular; raise the ridge.")
    inverse: Singles = factor.T
    for first in range(0, len(inverse), COLUMNS):
        rows = slice(first, first + COLUMNS)
        inverse[:first, rows] = inverse[rows, :first].T
        square = inverse[rows, rows]
        square[:] = np.tril(square) + np.tril(square, -1).T
    return inverse


def _solve_in_place(gram: Singles, cross: Singles, kind: Regularisation, scale: Singles) -> None:
    """Turn X'Y into B, a block of columns at a time; the Gram matrix is used up."""
    diagonal = np.einsum("ii->i", gram)
    diagonal += np.float32(kind.dropout) * diagonal + np.float32(kind.ridge)
    inverse = _invert_in_place(gram)
    own = inverse.diagonal()
    for first in range(0, len(cross), COLUMNS):
        columns = slice(first, first + COLUMNS)
        weights = inverse @ np.ascontiguousarray(cross[:, columns])
        at = np.arange(weights.shape[1])
        multiplier = weights[first + at, at] / own[columns]
        weights -= inverse[:, columns] * multiplier
        weights[first + at, at] = 0.0
        cross[:, columns] = weights * scale[columns]


def _largest_of_rows(
    weights: Singles, known: npt.NDArray[np.int64], keep: int, n_items: int
) -> csr_array:
    size = np.zeros(n_items, np.int64)
    size[known] = keep
    start = np.concatenate([[0], np.cumsum(size)])
    index = np.empty(start[-1], np.int32)
    value = np.empty(start[-1], np.float32)
    for row, anime in enumerate(known):
        best = np.argpartition(-np.abs(weights[row]), keep - 1)[:keep]
        index[start[anime] : start[anime + 1]] = known[best]
        value[start[anime] : start[anime + 1]] = weights[row, best]
    kept = csr_array((value, index, start), shape=(n_items, n_items))
    kept.sort_indices()
    return kept
