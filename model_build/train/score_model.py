"""The score model: similarities and a Gaussian over standard scores.

A standard score z = (r - mu - b_i - user_bias) / user_std takes bias and deviation of a user
out, so that strict and mild users agree about what they agree on (`app.recommender.score_model`
folds users in in the same way). From it come shrunk similarities, as
in `model_build.train.similarity`, and the covariance of the items over users: that found by
expectation maximisation over each user's own entries (a missing score is missing, not zero; few
steps from a shrunk start act as the regulariser), plus a share of a kernel of who scored what
(`model_build.train.item_kernel`). It is kept as factors, and for the closest items what these leave
out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numba
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh
from threadpoolctl import threadpool_limits

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from model_build.data.grouping import GroupedRatings
from model_build.train.bias_model import fit_bias_model, sum_squared_residuals
from model_build.train.item_kernel import ItemKernel, fit_item_kernel
from model_build.train.linear_algebra import (
    copy_lower_to_upper,
    invert_spd_in_place,
    leading_factors,
)
from model_build.util.hashing import sample_by_hash
from model_build.util.progress import ProgressCallback, no_progress
from model_build.util.threads import available_cpus

BIAS_REGULARISATION = 5.0
BIAS_EPOCHS = 15
STD_PRIOR_WEIGHT = 10.0

EM_STEPS = 5
MIN_GAUSSIAN_RATINGS = 3
"""Ratings that an item needs to be part of the Gaussian."""
MAX_GAUSSIAN_ITEMS = 20_000
MIN_CORE_RATINGS = 15
"""Ratings that an item needs for covariances that are learnt one by one."""
MAX_CORE_ITEMS = 5000
KERNEL_SHARE = 0.5
"""The kernel explains all scores by itself; so much of it stands beside those covariances."""
COVARIANCE_SCALE = 0.45
"""Predictions do not depend on it, expected errors do: 68 % of held-out scores are within them."""
CLOSE_ITEMS = 10
MIN_CLOSE_EIGENVALUE = -0.9
MAX_SAMPLED_USERS = 20_000
EARLY_STEP_USERS = 5_000
FULL_SAMPLE_STEPS = 2
"""The first steps only find the direction: they look at fewer users than the last ones."""
MAX_ENTRIES_PER_USER = 400
INITIAL_COVARIANCE_SHARE = 0.5
INITIAL_SHRINKAGE = 50.0
INITIAL_USER_BIAS_VARIANCE = 0.4
INITIAL_NOISE_SHARE = 0.7
NOISE_SHRINKAGE = 50.0
PARALLEL_PARTS = 4
ROWS_PER_BLOCK = 512


@dataclass(frozen=True, slots=True)
class StandardScores:
    """What standard scores are made of.

    ``item_bias`` (n_items,); ``residual`` (n_ratings,) is r - mu - b_i - user_bias of the ratings
    grouped by user; ``user_bias`` and ``user_std`` are (n_users,), ``overall_std`` is that of all.
    """

    item_bias: Float64Array
    residual: Float64Array
    user_bias: Float64Array
    user_std: Float64Array
    overall_std: float

    @classmethod
    def of_items(cls, item_bias: Float64Array, overall_std: float) -> StandardScores:
        """Make one of the biases (n_items,) alone, without users and residuals."""
        none = np.zeros(0)
        return cls(item_bias, none, none, none, overall_std)


@dataclass(frozen=True, slots=True)
class GaussianFactorModel:
    """Covariance ``factor`` ``factor``' + ``close`` + diag(``noise``) of m items.

    ``position`` (m,) ascends; ``factor`` is (m, f), ``noise`` (m,), ``close`` (m, m) sparse,
    symmetric, 0 on the diagonal. ``user_bias_variance`` is beside it.
    """

    position: Int32Array
    factor: Float32Array
    noise: Float32Array
    close: csr_array
    user_bias_variance: float


def standardise_ratings(ratings: GroupedRatings, *, threads: int | None = None) -> StandardScores:
    """Fit standard scores by the formulas that fold a user in."""
    bias_model = fit_bias_model(
        ratings,
        reg_user=BIAS_REGULARISATION,
        reg_item=BIAS_REGULARISATION,
        epochs=BIAS_EPOCHS,
        threads=threads,
    )
    residual = bias_model.residual
    overall_std = float(residual.std()) or 1.0  # all as expected: any spread will do
    user_std = user_rating_std(ratings.user_indptr, residual, overall_std)
    return StandardScores(
        bias_model.item_bias, residual, bias_model.user_bias, user_std, overall_std
    )


def user_rating_std(
    user_indptr: Int64Array, residual: Float64Array, overall_std: float
) -> Float64Array:
    """Estimate the deviation of each user's residuals, (n_users,), shrunk to that of all."""
    count = np.diff(user_indptr)
    squares = np.empty(len(count))
    sum_squared_residuals(0, len(count), user_indptr, residual, squares)
    variance = (squares + STD_PRIOR_WEIGHT * overall_std**2) / (count + STD_PRIOR_WEIGHT)
    return np.sqrt(variance)


def standard_score_values(ratings: GroupedRatings, standard_scores: StandardScores) -> Float64Array:
    """Compute z of each rating grouped by user, (n_ratings,)."""
    std = np.repeat(standard_scores.user_std, np.diff(ratings.user_indptr))
    return np.asarray(standard_scores.residual / std)


def gaussian_item_count(
    count: Int64Array, min_ratings: int = MIN_GAUSSIAN_RATINGS, max_items: int = MAX_GAUSSIAN_ITEMS
) -> int:
    """Count the items in the Gaussian, by how many ratings each has, (n,), falling."""
    return max(1, min(max_items, int((count >= min_ratings).sum())))


def sample_gaussian_users(ratings: GroupedRatings, first_user: int = 0) -> Int64Array:
    """Draw up to `MAX_SAMPLED_USERS` users (k,) with two ratings, counted from ``first_user``."""
    able = np.flatnonzero(np.diff(ratings.user_indptr) >= 2)
    return sample_by_hash(first_user + able, MAX_SAMPLED_USERS)


def standard_score_matrix(
    ratings: GroupedRatings, standard_scores: StandardScores, m: int, users: Int64Array
) -> csr_array:
    """Standardise ratings of those ``users`` who rated two of the first m items.

    Returns
    -------
    csr_array
        (k, m) float32, a row a user; columns are numbers of items.
    """
    length = np.empty(ratings.n_users, np.int64)
    _count_items_below(ratings.user_indptr, ratings.user_item, m, length)
    active = users[length[users] >= 2]
    first, length = ratings.user_indptr[active], length[active]
    start = np.concatenate([[0], np.cumsum(length)])
    entries = np.arange(start[-1]) + np.repeat(first - start[:-1], length)
    deviation = standard_scores.residual[entries] + np.repeat(
        standard_scores.user_bias[active], length
    )
    value = (deviation / np.repeat(standard_scores.user_std[active], length)).astype(np.float32)
    return csr_array((value, ratings.user_item[entries], start), shape=(len(active), m))


def fit_gaussian_factor_model(
    scores: csr_array,
    items: Int64Array,
    *,
    factors: int = 256,
    threads: int | None = None,
    on_progress: ProgressCallback = no_progress,
) -> GaussianFactorModel:
    """Fit the Gaussian to the scores of the users drawn.

    Parameters
    ----------
    scores
        (k, m), as `standard_score_matrix` makes them; columns by falling number of ratings.
    items
        (m,) original positions of the columns.

    The covariance of at most `MAX_CORE_ITEMS` items is learnt entry by entry, those with
    `MIN_CORE_RATINGS` of these scores. All others have the kernel's alone.
    """
    threads = threads or available_cpus()
    kernel = fit_item_kernel(scores, threads=threads, on_progress=on_progress)
    count = np.bincount(scores.indices, minlength=len(items))
    core = gaussian_item_count(np.sort(count)[::-1], MIN_CORE_RATINGS, MAX_CORE_ITEMS)
    covariance, bias_variance = fit_covariance_em(
        _with_two_entries(scores[:, :core].tocsr()), threads=threads, on_progress=on_progress
    )
    joint = JointCovariance(covariance, replace(kernel, variance=KERNEL_SHARE * kernel.variance))
    factor = leading_factors(partial(joint.multiply, threads=threads), len(items), factors)
    with threadpool_limits(1):  # the same sums on any machine
        noise, close = _close_covariance(joint, factor)
    order = np.argsort(items)
    return GaussianFactorModel(
        items[order].astype(np.int32),
        np.float32(np.sqrt(COVARIANCE_SCALE)) * factor[order],
        np.float32(COVARIANCE_SCALE) * noise[order],
        np.float32(COVARIANCE_SCALE) * csr_array(close[order][:, order]),
        COVARIANCE_SCALE * bias_variance,
    )


def fit_covariance_em(
    user_scores: csr_array, *, threads: int, on_progress: ProgressCallback = no_progress
) -> tuple[Float32Array, float]:
    """Fit the covariance S (m, m) of items over users, and the variance of the users' biases.

    Model of the entries R of a user: y_R ~ N(0, S_RR + user_bias_variance 11' + diag(noise_R)), for
    scores (k, m) as `standard_score_matrix` makes them. Memory: about eight such matrices.
    """
    rng = np.random.default_rng(0)
    covariance, noise = _initial_covariance(user_scores)
    user_bias_variance = INITIAL_USER_BIAS_VARIANCE
    early = subsample_users(user_scores, EARLY_STEP_USERS)
    steps = EM_STEPS if user_scores.shape[0] else 0
    for step in range(steps):
        chosen = early if step < steps - FULL_SAMPLE_STEPS else user_scores
        drawn = subsample_entries(chosen, rng)
        n_users = drawn.shape[0]
        gradients, seen, noise_sum = _expectation_step(
            drawn, covariance, noise, user_bias_variance, threads
        )
        covariance = _maximisation_step(covariance, gradients, n_users, threads)
        total = float(gradients.sum(dtype=np.float64))
        user_bias_variance += user_bias_variance**2 * total / n_users
        mean_noise = noise_sum.sum() / seen.sum()
        noise = (noise_sum + NOISE_SHRINKAGE * mean_noise) / (seen + NOISE_SHRINKAGE)
        on_progress("taste factors", step + 1, steps)
    return covariance, user_bias_variance


def _with_two_entries(scores: csr_array) -> csr_array:
    """Leave out the users who have fewer."""
    return scores[np.diff(scores.indptr) >= 2]


@dataclass(frozen=True, slots=True)
class JointCovariance:
    """The sum of a covariance of the first items and of a kernel of all m."""

    first: Float32Array
    kernel: ItemKernel

    def rows(self, first: int) -> Float32Array:
        """Compute up to `ROWS_PER_BLOCK` rows from ``first`` on, (rows, m)."""
        block = self.kernel.block(slice(first, first + ROWS_PER_BLOCK), slice(None))
        own = self.first[first : first + ROWS_PER_BLOCK]
        block[: len(own), : len(self.first)] += own
        return block

    def multiply(self, vectors: Float32Array, threads: int) -> Float32Array:
        """Multiply with (m, k), block by block."""
        starts = range(0, len(vectors), ROWS_PER_BLOCK)
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(lambda at: self.rows(at) @ vectors, starts)))


def _close_covariance(
    joint: JointCovariance, factor: Float32Array
) -> tuple[Float32Array, csr_array]:
    """What factors (m, f) leave out: noise (m,), and the largest covariances (m, m) between items.

    Those are cut down where need be until close + diag(noise) is positive definite, so that the
    covariance of any list's entries is.
    """
    m = len(factor)
    noise = joint.kernel.noise.astype(np.float64)
    n_close = min(CLOSE_ITEMS, m - 1)
    cells: list[tuple[Int64Array, Int64Array, Float32Array]] = []
    for first in range(0, m, ROWS_PER_BLOCK):
        left = joint.rows(first)
        rows = slice(first, first + len(left))
        left -= factor[rows] @ factor.T
        own = np.arange(rows.start, rows.stop)
        noise[rows] += np.maximum(left[own - first, own], 0.0)
        left[own - first, own] = 0.0
        best = np.argpartition(-np.abs(left), n_close, axis=1)[:, :n_close]
        value = np.take_along_axis(left, best, axis=1)
        cells.append((np.repeat(own, n_close), best.ravel(), value.ravel()))
    row, column, value = (np.concatenate(parts) for parts in zip(*cells, strict=True))
    one = csr_array((value, (row, column)), shape=(m, m))
    # Whoever chose whom, both have it, and to the last bit the same.
    close = one.maximum(one.T) + one.minimum(one.T)
    both = one.astype(bool).multiply(one.T.astype(bool))
    close = csr_array(close - close.multiply(both) / 2.0)
    root = 1.0 / np.sqrt(noise)
    scaled = csr_array(close.multiply(root[:, None]).multiply(root)).astype(np.float64)
    least = 0.0
    if m > 2 and scaled.data.any():
        start = np.ones(m)
        if not (scaled @ start).any():  # ARPACK needs one that the matrix does not map to zero
            start = np.random.default_rng(0).normal(size=m)
        least = float(eigsh(scaled, 1, which="SA", v0=start, tol=1e-3)[0][0])
    close.data *= min(1.0, MIN_CLOSE_EIGENVALUE / least) if least < 0 else 1.0
    return noise.astype(np.float32), close


def _initial_covariance(user_scores: csr_array) -> tuple[Float32Array, Float64Array]:
    """Start from a shrunk covariance of entries around their user's mean, and even noise."""
    length = np.diff(user_scores.indptr)
    mean = np.asarray(user_scores.sum(axis=1)).ravel() / (length + BIAS_REGULARISATION)
    centred = user_scores.copy()
    centred.data -= np.repeat(mean, length).astype(np.float32)
    # Without any difference there is nothing to tell noise by, but it must stay above 0.
    variance = (float((centred.data**2).mean()) if user_scores.nnz else 0.0) or 1.0
    count = np.bincount(user_scores.indices, minlength=user_scores.shape[1])
    shrink = (1.0 / np.sqrt(count + INITIAL_SHRINKAGE)).astype(np.float32)
    covariance = (centred.T @ centred).toarray()
    covariance *= INITIAL_COVARIANCE_SHARE * shrink[:, None] * shrink
    return covariance, np.full(user_scores.shape[1], INITIAL_NOISE_SHARE * variance)


def _expectation_step(
    user_scores: csr_array,
    covariance: Float32Array,
    noise: Float64Array,
    user_bias_variance: float,
    threads: int,
) -> tuple[Float32Array, Float64Array, Float64Array]:
    """Sum up a a' - K^-1 (m, m), entries (m,) and expected squared noise (m,) over users.

    With K = S_RR + user_bias_variance 11' + diag(noise_R) and a = K^-1 y for the entries R of a
    user.
    """
    m = user_scores.shape[1]
    # As many parts whatever the threads, so that the sums are the same.
    parts = np.array_split(np.arange(user_scores.shape[0]), PARALLEL_PARTS)
    noise32 = noise.astype(np.float32)

    def accumulate_users(rows: Int64Array) -> tuple[Float32Array, Float64Array, Float64Array]:
        gradients = np.zeros((m, m), np.float32)
        seen, noise_sum = np.zeros(m), np.zeros(m)
        for row in rows.tolist():
            own = slice(user_scores.indptr[row], user_scores.indptr[row + 1])
            if own.start == own.stop:
                continue
            items, value = user_scores.indices[own], user_scores.data[own]
            inverse = np.empty((len(items), len(items)), np.float32)
            _fill_user_covariance(items, covariance, noise32, user_bias_variance, inverse)
            invert_spd_in_place(inverse)
            _accumulate_gradients(items, value, inverse, noise32, gradients, seen, noise_sum)
        return gradients, seen, noise_sum

    # Each part works on users of its own; threads of BLAS within would fight theirs.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        gradients, seen, noise_sum = zip(*pool.map(accumulate_users, parts), strict=True)
    total = sum(gradients[1:], gradients[0])
    return total + np.tril(total, -1).T, sum(seen), sum(noise_sum)


def _maximisation_step(
    covariance: Float32Array, gradients: Float32Array, n_users: int, threads: int
) -> Float32Array:
    """Step the covariance C to C + C G C / n_users, symmetric to the last bit."""
    m = len(covariance)
    grown = np.empty_like(covariance)

    def fill_rows(first: int) -> None:
        end = min(first + ROWS_PER_BLOCK, m)
        rows, below = slice(first, end), slice(end)
        step = (covariance[rows] @ gradients) @ covariance[:, below]
        grown[rows, below] = covariance[rows, below] + step / n_users

    # The longest rows first, so that no thread is left alone with them.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill_rows, reversed(range(0, m, ROWS_PER_BLOCK))))
    copy_lower_to_upper(grown)
    return grown


def subsample_users(user_scores: csr_array, max_users: int) -> csr_array:
    """Choose at most ``max_users`` of the users (u,), evenly spread over all."""
    n_users = user_scores.shape[0]
    return (
        user_scores
        if n_users <= max_users
        else user_scores[np.arange(max_users) * n_users // max_users]
    )


def subsample_entries(user_scores: csr_array, rng: np.random.Generator) -> csr_array:
    """Draw at most `MAX_ENTRIES_PER_USER` entries a user (u, m): a step costs their cube."""
    drawn = [
        np.arange(first, last)
        if last - first <= MAX_ENTRIES_PER_USER
        else np.sort(rng.choice(np.arange(first, last), MAX_ENTRIES_PER_USER, replace=False))
        for first, last in pairwise(user_scores.indptr.tolist())
    ]
    start = np.concatenate([[0], np.cumsum([len(entries) for entries in drawn], dtype=np.int64)])
    entries = np.concatenate([np.empty(0, np.int64), *drawn])
    return csr_array(
        (user_scores.data[entries], user_scores.indices[entries], start), shape=user_scores.shape
    )


@numba.njit(nogil=True, cache=True)
def _fill_user_covariance(
    items: Int32Array,
    covariance: Float32Array,
    noise: Float32Array,
    user_bias_variance: float,
    user_covariance: Float32Array,
) -> None:
    """Fill the lower triangle of K = S_RR + user_bias_variance 11' + diag(noise_R), R ascending."""
    for x in range(len(items)):
        row = covariance[items[x]]
        for y in range(x + 1):
            user_covariance[x, y] = row[items[y]] + user_bias_variance
        user_covariance[x, x] += noise[items[x]]


@numba.njit(nogil=True, cache=True)
def _accumulate_gradients(
    items: Int32Array,
    value: Float32Array,
    inverse: Float32Array,
    noise: Float32Array,
    gradients: Float32Array,
    entry_count: Float64Array,
    noise_sum: Float64Array,
) -> None:
    """Add a user's gradients of covariance and noise; the lower triangle of K^-1 is read.

    With a = K^-1 y: ``gradients[R, R]`` receives the lower triangle of a a' - K^-1, and
    ``noise_sum`` the expected squared noise of each entry.
    """
    n = len(items)
    a = np.zeros(n, np.float32)
    for x in range(n):
        total = np.float32(0.0)
        for y in range(x):
            total += inverse[x, y] * value[y]
            a[y] += inverse[x, y] * value[x]
        a[x] += total + inverse[x, x] * value[x]
    for x in range(n):
        i = items[x]
        row = gradients[i]
        for y in range(x + 1):
            row[items[y]] += a[x] * a[y] - inverse[x, y]
        entry_count[i] += 1.0
        noise_sum[i] += noise[i] ** 2 * (a[x] * a[x] - inverse[x, x]) + noise[i]


@numba.njit(nogil=True, cache=True)
def _count_items_below(
    user_indptr: Int64Array, user_item: Int32Array, below: int, count: Int64Array
) -> None:
    """How many items with a number below ``below`` each user has; they come first."""
    for user in range(len(count)):
        first, last = user_indptr[user], user_indptr[user + 1]
        count[user] = np.searchsorted(user_item[first:last], below)
