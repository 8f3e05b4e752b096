"""What predicted scores are sharpened with: similarities and a Gaussian over standard scores.

A standard score z = (r - mu - b_i - level) / spread takes a fan's level and spread out, so that
strict and mild fans agree about what they agree on (`app.recommender.taste` folds visitors in the
same way). From it come shrunk similarities, as in `model_build.similarity`, and the covariance of
the anime over fans, found by expectation maximisation over each fan's own entries: a missing score
is missing, not zero. Few steps from a shrunk start act as the regulariser.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from model_build import bias_kernels, taste_kernels
from model_build.baselines import fit_baselines
from model_build.grouping import GroupedRatings
from model_build.linear_algebra import invert_in_place, mirror_up
from model_build.parallel import available_threads
from model_build.similarity import pearson_baseline
from model_build.sums.sampling import first_shuffled
from model_build.taste_draws import evenly, shortened

Singles = npt.NDArray[np.float32]

REG = 5.0
EPOCHS = 15
SPREAD_WEIGHT = 10.0
SHRINKAGE = 100.0

STEPS = 5
MIN_RATINGS = 15
"""Ratings that an anime needs to be part of the Gaussian."""
MOST_FANS = 20_000
EARLY_FANS = 5_000
LATE_STEPS = 2
"""The first steps only find the direction: they look at fewer fans than the last ones."""
MOST_ANIME = 5000
START_SHARE = 0.5
START_SHRINKAGE = 50.0
START_LEVEL_VARIANCE = 0.4
START_NOISE_SHARE = 0.7
NOISE_SHRINKAGE = 50.0
PARTS = 4
ROWS = 512


@dataclass(frozen=True, slots=True)
class Standardised:
    """``item_bias`` (n_items,), in the original order; ``within`` r - mu - b_i - level for each
    rating grouped by user; ``level`` and ``spread`` of each fan, ``mean_spread`` that of all."""

    item_bias: npt.NDArray[np.float64]
    within: npt.NDArray[np.float64]
    level: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    mean_spread: float


@dataclass(frozen=True, slots=True)
class Gaussian:
    """``position`` (m,) ascending anime, ``factor`` (m, f), ``noise`` (m,), level variance."""

    position: npt.NDArray[np.int32]
    factor: Singles
    noise: Singles
    level_variance: float


def standardise(ratings: GroupedRatings, *, threads: int | None = None) -> Standardised:
    """Levels and spreads by the formulas that fold a visitor in."""
    baselines = fit_baselines(ratings, reg_user=REG, reg_item=REG, epochs=EPOCHS, threads=threads)
    within = baselines.residual
    mean_spread = float(within.std()) or 1.0  # all as expected: any spread will do
    spread = spreads(ratings.user_start, within, mean_spread)
    return Standardised(baselines.item_bias, within, baselines.user_bias, spread, mean_spread)


def spreads(
    user_start: npt.NDArray[np.int64], within: npt.NDArray[np.float64], mean_spread: float
) -> npt.NDArray[np.float64]:
    """The spread of each fan, pulled towards the mean one."""
    count = np.diff(user_start)
    squares = np.empty(len(count))
    bias_kernels.squares(0, len(count), user_start, within, squares)
    variance = (squares + SPREAD_WEIGHT * mean_spread**2) / (count + SPREAD_WEIGHT)
    return np.sqrt(variance)


def standard_similarity(
    ratings: GroupedRatings,
    standard: Standardised,
    *,
    neighbours: int,
    shrinkage: float = SHRINKAGE,
    threads: int | None = None,
    progress: bool = False,
) -> csr_array:
    """Shrunk similarities of standard scores; see `pearson_baseline`."""
    return pearson_baseline(
        ratings,
        standard.within / np.repeat(standard.spread, np.diff(ratings.user_start)),
        shrinkage=shrinkage,
        neighbours=neighbours,
        threads=threads,
        progress=progress,
    )


def fit_gaussian(
    ratings: GroupedRatings,
    standard: Standardised,
    *,
    min_ratings: int = MIN_RATINGS,
    most_anime: int = MOST_ANIME,
    factors: int = 256,
    threads: int | None = None,
    progress: bool = False,
) -> Gaussian:
    """Covariance of the most rated anime over fans, as factors and noise.

    Model of the entries R of a fan: y_R ~ N(0, S_RR + level_variance 11' + diag(noise_R)). At most
    `MOST_FANS` fans, and in each step at most 400 titles of each, are drawn, always the same.
    Memory: about eight m x m float32 matrices.
    """
    m = size_of_gaussian(np.diff(ratings.item_start), min_ratings, most_anime)
    fans = entries_of(ratings, standard, m, drawn_fans(ratings.user_start))
    return gaussian_of(fans, ratings.order[:m], factors=factors, threads=threads, progress=progress)


def size_of_gaussian(
    count: npt.NDArray[np.int64], min_ratings: int = MIN_RATINGS, most_anime: int = MOST_ANIME
) -> int:
    """How many of the anime are in the Gaussian, by the ratings of each."""
    return max(1, min(most_anime, int((count >= min_ratings).sum())))


def drawn_fans(user_start: npt.NDArray[np.int64], first: int = 0) -> npt.NDArray[np.int64]:
    """The numbers of `MOST_FANS` fans with two ratings or more, counted from ``first``."""
    return first_shuffled(first + np.flatnonzero(np.diff(user_start) >= 2), MOST_FANS)


def entries_of(
    ratings: GroupedRatings, standard: Standardised, m: int, fans: npt.NDArray[np.int64]
) -> csr_array:
    """Deviations in spreads of those of the ``fans`` with at least two of the m most rated anime.

    A row a fan; columns are numbers of anime.
    """
    length = np.empty(ratings.n_users, np.int64)
    taste_kernels.counts_below(ratings.user_start, ratings.user_item, m, length)
    speaking = fans[length[fans] >= 2]
    first, length = ratings.user_start[speaking], length[speaking]
    start = np.concatenate([[0], np.cumsum(length)])
    entries = np.arange(start[-1]) + np.repeat(first - start[:-1], length)
    deviation = standard.within[entries] + np.repeat(standard.level[speaking], length)
    value = (deviation / np.repeat(standard.spread[speaking], length)).astype(np.float32)
    return csr_array((value, ratings.user_item[entries], start), shape=(len(speaking), m))


def gaussian_of(
    fans: csr_array,
    anime: npt.NDArray[np.int64],
    *,
    factors: int = 256,
    threads: int | None = None,
    progress: bool = False,
) -> Gaussian:
    """`fit_gaussian` on the entries of the fans drawn; column k is the original ``anime[k]``."""
    rng = np.random.default_rng(0)
    covariance, noise = _start(fans)
    level_variance = START_LEVEL_VARIANCE
    threads = threads or available_threads()
    early = evenly(fans, EARLY_FANS)
    steps = STEPS if fans.shape[0] else 0
    with tqdm(total=steps, desc="taste", unit=" step", disable=not progress) as bar:
        for step in range(steps):
            drawn = shortened(early if step < steps - LATE_STEPS else fans, rng)
            n_fans = drawn.shape[0]
            pull, seen, noise_sum = _expect(drawn, covariance, noise, level_variance, threads)
            covariance = _grown(covariance, pull, n_fans, threads)
            level_variance += level_variance**2 * float(pull.sum(dtype=np.float64)) / n_fans
            mean_noise = noise_sum.sum() / seen.sum()
            noise = (noise_sum + NOISE_SHRINKAGE * mean_noise) / (seen + NOISE_SHRINKAGE)
            bar.update()
    factor = _leading_factors(covariance, factors)
    # What the factors leave out of an anime's variance is its own.
    left_out = np.maximum(covariance.diagonal() - (factor**2).sum(axis=1), 0.0)
    order = np.argsort(anime)
    return Gaussian(
        anime[order].astype(np.int32),
        factor[order].astype(np.float32),
        (noise + left_out)[order].astype(np.float32),
        level_variance,
    )


def _start(fans: csr_array) -> tuple[Singles, npt.NDArray[np.float64]]:
    """A shrunk covariance of entries around their fan's mean, and even noise."""
    length = np.diff(fans.indptr)
    mean = np.asarray(fans.sum(axis=1)).ravel() / (length + REG)
    centred = fans.copy()
    centred.data -= np.repeat(mean, length).astype(np.float32)
    # Without any difference there is nothing to tell noise by, but it must stay above 0.
    variance = (float((centred.data**2).mean()) if fans.nnz else 0.0) or 1.0
    count = np.bincount(fans.indices, minlength=fans.shape[1])
    shrink = (1.0 / np.sqrt(count + START_SHRINKAGE)).astype(np.float32)
    covariance = (centred.T @ centred).toarray()
    covariance *= START_SHARE * shrink[:, None] * shrink
    return covariance, np.full(fans.shape[1], START_NOISE_SHARE * variance)


def _expect(
    fans: csr_array,
    covariance: Singles,
    noise: npt.NDArray[np.float64],
    level_variance: float,
    threads: int,
) -> tuple[Singles, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sums over the fans of a a' - K^-1, of entries and of expected squared noise, by anime.

    With K = S_RR + level_variance 11' + diag(noise_R) and a = K^-1 y for the entries R of a fan.
    """
    m = fans.shape[1]
    # As many parts whatever the threads, so that the sums are the same.
    parts = np.array_split(np.arange(fans.shape[0]), PARTS)

    singly = noise.astype(np.float32)

    def part(rows: npt.NDArray[np.int64]) -> tuple[Singles, Singles, Singles]:
        pull = np.zeros((m, m), np.float32)
        seen, noise_sum = np.zeros(m), np.zeros(m)
        for fan in rows.tolist():
            own = slice(fans.indptr[fan], fans.indptr[fan + 1])
            if own.start == own.stop:
                continue
            anime, value = fans.indices[own], fans.data[own]
            kernel = np.empty((len(anime), len(anime)), np.float32)
            taste_kernels.gather(anime, covariance, singly, level_variance, kernel)
            invert_in_place(kernel)
            taste_kernels.scatter(anime, value, kernel, singly, pull, seen, noise_sum)
        return pull, seen, noise_sum

    # Each part works on fans of its own; threads of BLAS within would fight theirs.
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        pulls, seen, noise_sum = zip(*pool.map(part, parts), strict=True)
    pull = sum(pulls[1:], pulls[0])
    below = np.tril(pull, -1)
    return pull + below.T, sum(seen), sum(noise_sum)


def _grown(covariance: Singles, pull: Singles, n_fans: int, threads: int) -> Singles:
    """The covariance C after a step: C + C pull C / n_fans, symmetric to the last bit."""
    m = len(covariance)
    grown = np.empty_like(covariance)

    def fill(first: int) -> None:
        end = min(first + ROWS, m)
        rows, below = slice(first, end), slice(end)
        step = (covariance[rows] @ pull) @ covariance[:, below]
        grown[rows, below] = covariance[rows, below] + step / n_fans

    # The longest rows first, so that no thread is left alone with them.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, reversed(range(0, m, ROWS))))
    mirror_up(grown)
    return grown


def _leading_factors(covariance: Singles, factors: int) -> npt.NDArray[np.float64]:
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
