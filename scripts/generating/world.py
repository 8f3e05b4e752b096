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
import numpy.typing as npt

from scripts.generating import kernels

TASTES = 24
FACTORS = 6
LENGTH_SPREAD = 1.05
LONGEST_SHARE = 0.5
"""No list holds more than this share of all anime."""
CHUNK_ENTRIES = 1_000_000
LEVEL, LEVEL_SPREAD, FAN_SPREAD, TRAIT_SPREAD, NOISE = 7.3, 0.8, 0.8, 0.35, 1.0
TASTE_SPREAD = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Anime by falling popularity, and how long each fan's list is; n anime, F fans.

    ``anime_id`` (n,) scattered MyAnimeList-like ids; ``accept`` and ``other`` (tastes, n) alias
    tables of what a taste picks; ``sequel`` (n,) what continues an anime, -1 for nothing;
    ``level`` (n,) and ``trait`` (n, factors) of scores; ``length`` (F,) entries a fan.
    """

    seed: int
    anime_id: npt.NDArray[np.int32]
    accept: npt.NDArray[np.float32]
    other: npt.NDArray[np.int32]
    sequel: npt.NDArray[np.int32]
    level: npt.NDArray[np.float32]
    trait: npt.NDArray[np.float32]
    length: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lists: fan number (from 0), anime position, score as it would be, a uniform number."""

    fan: npt.NDArray[np.int32]
    anime: npt.NDArray[np.int32]
    score: npt.NDArray[np.int8]
    chance: npt.NDArray[np.float32]


def make_world(entries: int, fans: int, anime: int, seed: int) -> World:
    """A world in which ``fans`` list ``entries`` in all.

    Raises:
        ValueError: the lists would have to be longer than half of all anime, or empty.
    """
    rng = np.random.default_rng([seed, 1])
    # The n-th most listed anime of 17,000 is on exp(-0.126 n^0.45) as many lists as the first.
    rank = np.arange(anime) * (17_000 / anime)
    popularity = np.exp(-0.126 * rank**0.45)
    factor = rng.normal(size=(TASTES, anime))
    weight = popularity * np.exp(TASTE_SPREAD * factor - TASTE_SPREAD**2 / 2)
    accept = np.empty((TASTES, anime), np.float32)
    other = np.empty((TASTES, anime), np.int32)
    kernels.alias_tables(weight, accept, other)
    sequel = np.full(anime, -1, np.int32)
    first = np.flatnonzero(rng.random(anime) < 0.3)
    # Less known than what it continues, but not by far.
    sequel[first] = np.minimum(first + 1 + (first * rng.random(len(first)) * 0.5), anime - 1)
    sequel[sequel == np.arange(anime)] = -1
    trait = rng.normal(0, TRAIT_SPREAD, (anime, FACTORS)).astype(np.float32)
    has = np.flatnonzero(sequel >= 0)
    trait[sequel[has]] = 0.9 * trait[has] + 0.1 * trait[sequel[has]]
    level = LEVEL + LEVEL_SPREAD * rng.normal(size=anime)
    ids = np.sort(rng.choice(np.arange(1, 3 * anime + 1), anime, replace=False))
    return World(
        seed,
        rng.permutation(ids).astype(np.int32),
        accept,
        other,
        sequel,
        level.astype(np.float32),
        trait,
        _lengths(entries, fans, anime, rng),
    )


def _lengths(
    entries: int, fans: int, anime: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Log-normal lengths, at least 1 and at most half of all anime, that sum to ``entries``."""
    longest = int(anime * LONGEST_SHARE)
    if not fans <= entries <= fans * longest // 2:
        raise ValueError(
            f"{fans} fans cannot list {entries} entries of {anime} anime in all: "
            f"between {fans} and {fans * longest // 2} are possible."
        )
    drawn = np.exp(LENGTH_SPREAD * rng.normal(size=fans))
    low, high = 0.0, float(longest)
    for _ in range(60):  # the scale at which the clipped lengths have the right sum
        middle = (low + high) / 2
        total = np.clip(drawn * middle, 1, longest).sum()
        low, high = (middle, high) if total < entries else (low, middle)
    length = np.clip(drawn * low, 1, longest).astype(np.int64)
    # Rounding down left some over: one more for as many as it takes.
    while missing := entries - int(length.sum()):
        lucky = rng.permutation(np.flatnonzero(length < longest))[:missing]
        length[lucky] += 1
    return length


def draw(world: World, threads: int) -> Iterator[Chunk]:
    """All lists, fan by fan, about a million entries at a time; few chunks are held at once."""
    upto = np.cumsum(world.length)
    cuts = np.searchsorted(upto, np.arange(CHUNK_ENTRIES, upto[-1], CHUNK_ENTRIES), side="right")
    edges = np.unique(np.concatenate([[0], cuts, [len(upto)]]))
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[Chunk]] = []
        for first, last in pairwise(edges.tolist()):
            waiting.append(pool.submit(_draw, world, first, last))
            if len(waiting) > threads:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _draw(world: World, first: int, last: int) -> Chunk:
    start = np.concatenate([[0], np.cumsum(world.length[first:last])])
    anime = np.empty(start[-1], np.int32)
    score = np.empty(start[-1], np.int8)
    chance = np.empty(start[-1], np.float32)
    kernels.draw_lists(
        first,
        world.seed,
        start,
        world.accept,
        world.other,
        world.sequel,
        world.trait,
        world.level,
        FAN_SPREAD,
        NOISE,
        anime,
        score,
        chance,
    )
    fan = np.repeat(np.arange(first, last, dtype=np.int32), np.diff(start))
    return Chunk(fan, anime, score, chance)
