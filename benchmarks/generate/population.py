"""A made-up world of fans and anime with the structure of the real lists.

What is like the real dumps: lists are about log-normally long (a few hold thousands of titles); the
most listed anime is on almost half of the lists and the least on a handful; fans who share a taste
pick the same anime and agree about them; what continues an anime is listed with it. Parameters were
set by eye to the counts of public lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.recommender.array_types import Float32Array, Int8Array, Int32Array, Int64Array
from model_build.util.threads import map_ahead

GENRE_CLUSTERS = 24
FACTORS = 6
LENGTH_STD = 1.05
MAX_LIST_SHARE = 0.5
"""No list holds more than this share of all anime."""
CHUNK_ENTRIES = 1_000_000
MEAN_SCORE, ITEM_MEAN_STD, USER_BIAS_STD, ITEM_FACTOR_STD, NOISE_STD = 7.3, 0.8, 0.8, 0.35, 1.0
CLUSTER_STD = 1.2
FAVOURITE_SHARE = 0.75
"""How much of a list is of the first of a fan's two tastes."""
SEQUEL_PROBABILITY = 0.5
"""How often a fan who lists an anime also lists the one that continues it."""


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticPopulation:
    """Anime by falling popularity, and how long each fan's list is; n anime, F fans.

    ``anime_id`` (n,) scattered MyAnimeList-like ids; ``weight`` (tastes, n) how often a taste picks
    what; ``sequel`` (n,) what continues an anime, -1 for nothing; ``item_mean`` (n,) and
    ``item_factors`` (n, factors) of scores; ``list_length`` (F,) entries a fan.
    """

    seed: int
    anime_id: Int32Array
    weight: Float32Array
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
    weight /= weight.sum(axis=1, keepdims=True)
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
        weight.astype(np.float32),
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
        yield from map_ahead(
            pool, lambda fans: _generate_chunk(population, *fans), pairwise(edges.tolist()), threads
        )


def _generate_chunk(population: SyntheticPopulation, first: int, last: int) -> ListChunk:
    lists = [_draw_list(population, user) for user in range(first, last)]
    anime, score, chance = (np.concatenate(part) for part in zip(*lists, strict=True))
    user = np.arange(first, last, dtype=np.int32)
    return ListChunk(np.repeat(user, population.list_length[first:last]), anime, score, chance)


def _draw_list(
    population: SyntheticPopulation, user: int
) -> tuple[Int32Array, Int8Array, Float32Array]:
    """Anime, scores and uniform numbers of one fan, which depend on the seed and the fan alone."""
    rng = np.random.default_rng([population.seed, 3, user])
    length = int(population.list_length[user])
    favourite, second = population.weight[rng.integers(GENRE_CLUSTERS, size=2)]
    weight = FAVOURITE_SHARE * favourite + (1 - FAVOURITE_SHARE) * second
    # With exponential times by weight, who comes first is drawn by weight, and nobody twice.
    time = rng.standard_exponential(len(weight), np.float32) / weight
    picked = np.argpartition(time, length)[:length]
    picked = picked[np.argsort(time[picked])]
    sequel = np.where(rng.random(length) < SEQUEL_PROBABILITY, population.sequel[picked], -1)
    both = np.stack([picked, sequel], axis=1).ravel()
    distinct, place = np.unique(both[both >= 0], return_index=True)
    anime = distinct[np.argsort(place)][:length].astype(np.int32)
    score = population.item_mean[anime] + population.item_factors[anime] @ rng.normal(size=FACTORS)
    score += rng.normal(0, USER_BIAS_STD) + rng.normal(0, NOISE_STD, length)
    return anime, np.clip(np.rint(score), 1, 10).astype(np.int8), rng.random(length, np.float32)
