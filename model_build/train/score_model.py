"""What predicted scores are sharpened with: similarities and a Gaussian over standard scores.

A standard score z = (r - mu - b_i - level) / spread takes a fan's level and spread out, so that
strict and mild fans agree about what they agree on (`app.recommender.score_model` folds visitors in the
same way). From it come shrunk similarities, as in `model_build.train.similarity`, and the covariance of
the anime over fans, found by expectation maximisation over each fan's own entries: a missing score
is missing, not zero. Few steps from a shrunk start act as the regulariser.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from model_build.data.grouping import GroupedRatings
from model_build.train import bias_model as bias_kernels
from model_build.train.bias_model import fit_bias_model
from model_build.train.linear_algebra import copy_lower_to_upper, invert_spd_in_place
from model_build.train.sampling import sample_by_hash
from model_build.train.similarity import pearson_baseline_similarity
from model_build.util.threads import available_cpus

BIAS_REGULARISATION = 5.0
BIAS_EPOCHS = 15
STD_PRIOR_WEIGHT = 10.0
SIMILARITY_SHRINKAGE = 100.0

EM_STEPS = 5
MIN_GAUSSIAN_RATINGS = 15
"""Ratings that an anime needs to be part of the Gaussian."""
MAX_SAMPLED_USERS = 20_000
EARLY_STEP_USERS = 5_000
FULL_SAMPLE_STEPS = 2
"""The first steps only find the direction: they look at fewer fans than the last ones."""
MAX_GAUSSIAN_ITEMS = 5000
INITIAL_COVARIANCE_SHARE = 0.5
INITIAL_SHRINKAGE = 50.0
INITIAL_USER_BIAS_VARIANCE = 0.4
INITIAL_NOISE_SHARE = 0.7
NOISE_SHRINKAGE = 50.0
PARALLEL_PARTS = 4
ROWS_PER_BLOCK = 512


@dataclass(frozen=True, slots=True)
class StandardScores:
    """``item_bias`` (n_items,), in the original order; ``within`` r - mu - b_i - level for each
    rating grouped by user; ``level`` and ``spread`` of each fan, ``mean_spread`` that of all."""

    item_bias: Float64Array
    residual: Float64Array
    user_bias: Float64Array
    user_std: Float64Array
    overall_std: float


@dataclass(frozen=True, slots=True)
class GaussianFactorModel:
    """``position`` (m,) ascending anime, ``factor`` (m, f), ``noise`` (m,), level variance."""

    position: Int32Array
    factor: Float32Array
    noise: Float32Array
    user_bias_variance: float


def standardise_ratings(ratings: GroupedRatings, *, threads: int | None = None) -> StandardScores:
    """Levels and spreads by the formulas that fold a visitor in."""
    bias_model = fit_bias_model(
        ratings,
        reg_user=BIAS_REGULARISATION,
        reg_item=BIAS_REGULARISATION,
        epochs=BIAS_EPOCHS,
        threads=threads,
    )
    residual = bias_model.residual
    overall_std = float(residual.std()) or 1.0  # all as expected: any spread will do
    user_std = user_rating_std(ratings.user_start, residual, overall_std)
    return StandardScores(
        bias_model.item_bias, residual, bias_model.user_bias, user_std, overall_std
    )


def user_rating_std(
    user_start: Int64Array, residual: Float64Array, overall_std: float
) -> Float64Array:
    """The spread of each fan, pulled towards the mean one."""
    count = np.diff(user_start)
    squares = np.empty(len(count))
    bias_kernels.sum_squared_residuals(0, len(count), user_start, residual, squares)
    variance = (squares + STD_PRIOR_WEIGHT * overall_std**2) / (count + STD_PRIOR_WEIGHT)
    return np.sqrt(variance)


def standard_score_similarity(
    ratings: GroupedRatings,
    standard_scores: StandardScores,
    *,
    neighbours: int,
    shrinkage: float = SIMILARITY_SHRINKAGE,
    threads: int | None = None,
    progress: bool = False,
) -> csr_array:
    """Shrunk similarities of standard scores; see `pearson_baseline`."""
    return pearson_baseline_similarity(
        ratings,
        standard_scores.residual / np.repeat(standard_scores.user_std, np.diff(ratings.user_start)),
        shrinkage=shrinkage,
        neighbours=neighbours,
        threads=threads,
        progress=progress,
    )


def fit_gaussian_factors(
    ratings: GroupedRatings,
    standard_scores: StandardScores,
    *,
    min_ratings: int = MIN_GAUSSIAN_RATINGS,
    max_items: int = MAX_GAUSSIAN_ITEMS,
    factors: int = 256,
    threads: int | None = None,
    progress: bool = False,
) -> GaussianFactorModel:
    """Covariance of the most rated anime over fans, as factors and noise.

    Model of the entries R of a fan: y_R ~ N(0, S_RR + level_variance 11' + diag(noise_R)). At most
    `MOST_FANS` fans, and in each step at most 400 titles of each, are drawn, always the same.
    Memory: about eight m x m float32 matrices.
    """
    m = gaussian_item_count(np.diff(ratings.item_start), min_ratings, max_items)
    fans = standard_score_matrix(
        ratings, standard_scores, m, sample_gaussian_users(ratings.user_start)
    )
    return fit_gaussian_em(
        fans, ratings.order[:m], factors=factors, threads=threads, progress=progress
    )


def gaussian_item_count(
    count: Int64Array, min_ratings: int = MIN_GAUSSIAN_RATINGS, max_items: int = MAX_GAUSSIAN_ITEMS
) -> int:
    """How many of the anime are in the Gaussian, by the ratings of each."""
    return max(1, min(max_items, int((count >= min_ratings).sum())))


def sample_gaussian_users(user_start: Int64Array, first_user: int = 0) -> Int64Array:
    """The numbers of `MOST_FANS` fans with two ratings or more, counted from ``first``."""
    return sample_by_hash(first_user + np.flatnonzero(np.diff(user_start) >= 2), MAX_SAMPLED_USERS)


def standard_score_matrix(
    ratings: GroupedRatings, standard_scores: StandardScores, m: int, users: Int64Array
) -> csr_array:
    """Deviations in spreads of those of the ``fans`` with at least two of the m most rated anime.

    A row a fan; columns are numbers of anime.
    """
    length = np.empty(ratings.n_users, np.int64)
    count_items_below(ratings.user_start, ratings.user_item, m, length)
    active = users[length[users] >= 2]
    first, length = ratings.user_start[active], length[active]
    start = np.concatenate([[0], np.cumsum(length)])
    entries = np.arange(start[-1]) + np.repeat(first - start[:-1], length)
    deviation = standard_scores.residual[entries] + np.repeat(
        standard_scores.user_bias[active], length
    )
    value = (deviation / np.repeat(standard_scores.user_std[active], length)).astype(np.float32)
    return csr_array((value, ratings.user_item[entries], start), shape=(len(active), m))


def fit_gaussian_em(
    user_scores: csr_array,
    items: Int64Array,
    *,
    factors: int = 256,
    threads: int | None = None,
    progress: bool = False,
) -> GaussianFactorModel:
    """`fit_gaussian` on the entries of the fans drawn; column k is the original ``anime[k]``."""
    rng = np.random.default_rng(0)
    covariance, noise = _initial_covariance(user_scores)
    user_bias_variance = INITIAL_USER_BIAS_VARIANCE
    threads = threads or available_cpus()
    early = subsample_users(user_scores, EARLY_STEP_USERS)
    steps = EM_STEPS if user_scores.shape[0] else 0
    with tqdm(total=steps, desc="taste", unit=" step", disable=not progress) as bar:
        for step in range(steps):
            drawn = subsample_entries(
                early if step < steps - FULL_SAMPLE_STEPS else user_scores, rng
            )
            n_users = drawn.shape[0]
            gradients, seen, noise_sum = _expectation_step(
                drawn, covariance, noise, user_bias_variance, threads
            )
            covariance = _maximisation_step(covariance, gradients, n_users, threads)
            user_bias_variance += (
                user_bias_variance**2 * float(gradients.sum(dtype=np.float64)) / n_users
            )
            mean_noise = noise_sum.sum() / seen.sum()
            noise = (noise_sum + NOISE_SHRINKAGE * mean_noise) / (seen + NOISE_SHRINKAGE)
            bar.update()
    factor = _leading_factors(covariance, factors)
    # What the factors leave out of an anime's variance is its own.
    left_out = np.maximum(covariance.diagonal() - (factor**2).sum(axis=1), 0.0)
    order = np.argsort(items)
    return GaussianFactorModel(
        items[order].astype(np.int32),
        factor[order].astype(np.float32),
        (noise + left_out)[order].astype(np.float32),
        user_bias_variance,
    )


def _initial_covariance(user_scores: csr_array) -> tuple[Float32Array, Float64Array]:
    """A shrunk covariance of entries around their fan's mean, and even noise."""
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
    """Sums over the fans of a a' - K^-1, of entries and of expected squared noise, by anime.

    With K = S_RR + level_variance 11' + diag(noise_R) and a = K^-1 y for the entries R of a fan.
    """
    m = user_scores.shape[1]
    # As many parts whatever the threads, so that the sums are the same.
    parts = np.array_split(np.arange(user_scores.shape[0]), PARALLEL_PARTS)

    singly = noise.astype(np.float32)

    def accumulate_users(rows: Int64Array) -> tuple[Float32Array, Float32Array, Float32Array]:
        pull = np.zeros((m, m), np.float32)
        seen, noise_sum = np.zeros(m), np.zeros(m)
        for fan in rows.tolist():
            own = slice(user_scores.indptr[fan], user_scores.indptr[fan + 1])
            if own.start == own.stop:
                continue
            anime, value = user_scores.indices[own], user_scores.data[own]
            kernel = np.empty((len(anime), len(anime)), np.float32)
            fill_user_covariance(anime, covariance, singly, user_bias_variance, kernel)
            invert_spd_in_place(kernel)
            accumulate_gradients(anime, value, kernel, singly, pull, seen, noise_sum)
        return pull, seen, noise_sum

    # Each part works on fans of its own; threads of BLAS within would fight theirs.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        pulls, seen, noise_sum = zip(*pool.map(accumulate_users, parts), strict=True)
    pull = sum(pulls[1:], pulls[0])
    below = np.tril(pull, -1)
    return pull + below.T, sum(seen), sum(noise_sum)


def _maximisation_step(
    covariance: Float32Array, gradients: Float32Array, n_users: int, threads: int
) -> Float32Array:
    """The covariance C after a step: C + C pull C / n_fans, symmetric to the last bit."""
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


def _leading_factors(covariance: Float32Array, factors: int) -> Float64Array:
    """V (m, f) of the closest V V' to a covariance: leading eigenvectors, scaled."""
    m = len(covariance)
    if m <= 2 * factors:
        value, vector = np.linalg.eigh(covariance.astype(np.float64))
        value, vector = value[-factors:], vector[:, -factors:]
    else:
        # Many small steps: threads of BLAS would mostly wait for one another.
        with threadpool_limits(1):
            value, vector = eigsh(covariance, factors, v0=np.ones(m, np.float32), tol=1e-4)
    return np.asarray(vector * np.sqrt(np.maximum(value, 0.0)), np.float64)


MAX_ENTRIES_PER_USER = 400


def subsample_users(user_scores: csr_array, max_users: int) -> csr_array:
    """At most ``most`` of the fans, evenly spread over all."""
    n_users = user_scores.shape[0]
    return (
        user_scores
        if n_users <= max_users
        else user_scores[np.arange(max_users) * n_users // max_users]
    )


def subsample_entries(user_scores: csr_array, rng: np.random.Generator) -> csr_array:
    """The same fans with at most `MOST_TITLES` entries each: a step costs their cube."""
    kept = [
        np.arange(first, last)
        if last - first <= MAX_ENTRIES_PER_USER
        else np.sort(rng.choice(np.arange(first, last), MAX_ENTRIES_PER_USER, replace=False))
        for first, last in pairwise(user_scores.indptr.tolist())
    ]
    start = np.concatenate([[0], np.cumsum([len(entries) for entries in kept], dtype=np.int64)])
    entries = np.concatenate([np.empty(0, np.int64), *kept])
    return csr_array(
        (user_scores.data[entries], user_scores.indices[entries], start), shape=user_scores.shape
    )


@numba.njit(nogil=True, cache=True)
def fill_user_covariance(
    items: Int32Array,
    covariance: Float32Array,
    noise: Float32Array,
    user_bias_variance: float,
    user_covariance: Float32Array,
) -> None:
    """The lower triangle of K = S_RR + level_variance 11' + diag(noise_R), R ascending."""
    for x in range(len(items)):
        row = covariance[items[x]]
        for y in range(x + 1):
            user_covariance[x, y] = row[items[y]] + user_bias_variance
        user_covariance[x, x] += noise[items[x]]


@numba.njit(nogil=True, cache=True)
def accumulate_gradients(
    items: Int32Array,
    value: Float32Array,
    inverse: Float32Array,
    noise: Float32Array,
    gradients: Float32Array,
    entry_count: Float64Array,
    noise_sum: Float64Array,
) -> None:
    """Add up what a fan says about covariance and noise; of K^-1 the lower triangle is read.

    With a = K^-1 y: ``pull[R, R]`` receives the lower triangle of a a' - K^-1, ``noise_sum`` the
    expected squared noise of each entry.
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
def count_items_below(
    user_start: Int64Array, user_item: Int32Array, below: int, count: Int64Array
) -> None:
    """How many items with a number below ``below`` each fan has; they come first."""
    for user in range(len(count)):
        first, last = user_start[user], user_start[user + 1]
        count[user] = np.searchsorted(user_item[first:last], below)
