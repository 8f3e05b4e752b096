"""A made-up world of fans and anime with the structure of the real lists.

What is like the real dumps: lists are about log-normally long (a few hold thousands of titles); the
most listed anime is on almost half of the lists and the least on a handful; fans who share a taste
pick the same anime and agree about them; what continues an anime is listed with it. Parameters were
set by eye to the counts of public lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.recommender.array_types import Float32Array, Int8Array, Int32Array, Int64Array
from benchmarks.generate import kernels

GENRE_CLUSTERS = 24
FACTORS = 6
LENGTH_STD = 1.05
MAX_LIST_SHARE = 0.5
"""No list holds more than this share of all anime."""
CHUNK_ENTRIES = 1_000_000
MEAN_SCORE, ITEM_MEAN_STD, USER_BIAS_STD, ITEM_FACTOR_STD, NOISE_STD = 7.3, 0.8, 0.8, 0.35, 1.0
CLUSTER_STD = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticPopulation:
    """Anime by falling popularity, and how long each fan's list is; n anime, F fans.

    ``anime_id`` (n,) scattered MyAnimeList-like ids; ``accept`` and ``other`` (tastes, n) alias
    tables of what a taste picks; ``sequel`` (n,) what continues an anime, -1 for nothing;
    ``level`` (n,) and ``trait`` (n, factors) of scores; ``length`` (F,) entries a fan.
    """

    seed: int
    anime_id: Int32Array
    accept: Float32Array
    alias: Int32Array
    sequel: Int32Array
    item_mean: Float32Array
    item_factors: Float32Array
    list_length: Int64Array


@dataclass(frozen=True, slots=True)
class ListChunk:
    """Whole lists: fan number (from 0), anime position, score as it would be, a uniform number."""

    user: Int32Array
    anime: Int32Array
    score: Int8Array
    chance: Float32Array


def make_population(n_entries: int, n_users: int, n_anime: int, seed: int) -> SyntheticPopulation:
    """Return a world in which ``fans`` list ``entries`` in all.

    Raises
    ------
    ValueError
        The lists would have to be longer than half of all anime, or empty.
    """
    rng = np.random.default_rng([seed, 1])
    # The n-th most listed anime of 17,000 is on exp(-0.126 n^0.45) as many lists as the first.
    rank = np.arange(n_anime) * (17_000 / n_anime)
    popularity = np.exp(-0.126 * rank**0.45)
    factor = rng.normal(size=(GENRE_CLUSTERS, n_anime))
    weight = popularity * np.exp(CLUSTER_STD * factor - CLUSTER_STD**2 / 2)
    accept = np.empty((GENRE_CLUSTERS, n_anime), np.float32)
    other = np.empty((GENRE_CLUSTERS, n_anime), np.int32)
    kernels.build_alias_tables(weight, accept, other)
    sequel = np.full(n_anime, -1, np.int32)
    first = np.flatnonzero(rng.random(n_anime) < 0.3)
    # Less known than what it continues, but not by far.
    sequel[first] = np.minimum(first + 1 + (first * rng.random(len(first)) * 0.5), n_anime - 1)
    sequel[sequel == np.arange(n_anime)] = -1
    trait = rng.normal(0, ITEM_FACTOR_STD, (n_anime, FACTORS)).astype(np.float32)
    has = np.flatnonzero(sequel >= 0)
    trait[sequel[has]] = 0.9 * trait[has] + 0.1 * trait[sequel[has]]
    level = MEAN_SCORE + ITEM_MEAN_STD * rng.normal(size=n_anime)
    ids = np.sort(rng.choice(np.arange(1, 3 * n_anime + 1), n_anime, replace=False))
    return SyntheticPopulation(
        seed,
        rng.permutation(ids).astype(np.int32),
        accept,
        other,
        sequel,
        level.astype(np.float32),
        trait,
        _sample_lengths(n_entries, n_users, n_anime, rng),
    )


def _sample_lengths(
    n_entries: int, n_users: int, n_anime: int, rng: np.random.Generator
) -> Int64Array:
    """Log-normal lengths, at least 1 and at most half of all anime, that sum to ``entries``."""
    longest = int(n_anime * MAX_LIST_SHARE)
    if not n_users <= n_entries <= n_users * longest // 2:
        raise ValueError(
            f"{n_users} fans cannot list {n_entries} entries of {n_anime} anime in all: "
            f"between {n_users} and {n_users * longest // 2} are possible."
        )
    drawn = np.exp(LENGTH_STD * rng.normal(size=n_users))
    low, high = 0.0, float(longest)
    for _ in range(60):  # the scale at which the clipped lengths have the right sum
        middle = (low + high) / 2
        total = np.clip(drawn * middle, 1, longest).sum()
        low, high = (middle, high) if total < n_entries else (low, middle)
    length = np.clip(drawn * low, 1, longest).astype(np.int64)
    # Rounding down left some over: one more for as many as it takes.
    while missing := n_entries - int(length.sum()):
        lucky = rng.permutation(np.flatnonzero(length < longest))[:missing]
        length[lucky] += 1
    return length


def generate_lists(population: SyntheticPopulation, threads: int) -> Iterator[ListChunk]:
    """All lists, fan by fan, about a million entries at a time; few chunks are held at once."""
    upto = np.cumsum(population.list_length)
    cuts = np.searchsorted(upto, np.arange(CHUNK_ENTRIES, upto[-1], CHUNK_ENTRIES), side="right")
    edges = np.unique(np.concatenate([[0], cuts, [len(upto)]]))
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[ListChunk]] = []
        for first, last in pairwise(edges.tolist()):
            waiting.append(pool.submit(_generate_chunk, population, first, last))
            if len(waiting) > threads:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _generate_chunk(population: SyntheticPopulation, first: int, last: int) -> ListChunk:
    start = np.concatenate([[0], np.cumsum(population.list_length[first:last])])
    anime = np.empty(start[-1], np.int32)
    score = np.empty(start[-1], np.int8)
    chance = np.empty(start[-1], np.float32)
    kernels.sample_lists(
        first,
        population.seed,
        start,
        population.accept,
        population.alias,
        population.sequel,
        population.item_factors,
        population.item_mean,
        USER_BIAS_STD,
        NOISE_STD,
        anime,
        score,
        chance,
    )
    user = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(start))
    return ListChunk(user, anime, score, chance)
