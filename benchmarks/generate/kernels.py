"""The compiled loops of the generator. Arrays in, arrays out; no policy.

Randomness is a splitmix64 stream of the generator's own, seeded a fan: what a fan lists depends on
the seed and the fan's number alone, whoever draws it and in how many threads.
"""

from __future__ import annotations

import numba
import numpy as np

from app.recommender.array_types import (
    Float32Array,
    Float64Array,
    Int8Array,
    Int32Array,
    Int64Array,
    UInt64Array,
)

SEQUEL_PROBABILITY = 0.5
"""How often a fan who lists an anime also lists the one that continues it."""
MAX_REDRAWS = 40
"""Draws of anime that are already listed before the next one that is not is taken, whichever."""


@numba.njit(nogil=True, cache=True, inline="always")
def _next_uint64(state: UInt64Array) -> np.uint64:
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.uint64(z ^ (z >> np.uint64(31)))


@numba.njit(nogil=True, cache=True, inline="always")
def _uniform(state: UInt64Array) -> float:
    return float(_next_uint64(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.njit(nogil=True, cache=True, inline="always")
def _normal(state: UInt64Array) -> float:
    """About normal: the sum of the four 16-bit parts of one number, scaled."""
    z = _next_uint64(state)
    low = np.uint64(0xFFFF)
    total = float(z & low) + float((z >> np.uint64(16)) & low)
    total += float((z >> np.uint64(32)) & low) + float(z >> np.uint64(48))
    return (total - 131070.0) * (1.7320508075688772 / 65536.0)


@numba.njit(nogil=True, cache=True)
def build_alias_tables(weight: Float64Array, accept: Float32Array, alias: Int32Array) -> None:
    """Walker's alias tables, a row a distribution, from weights (rows, n) of any sum."""
    rows, n = weight.shape
    small, large = np.empty(n, np.int32), np.empty(n, np.int32)
    for row in range(rows):
        share = weight[row] * (n / weight[row].sum())
        n_small = n_large = 0
        for i in range(n):
            if share[i] < 1.0:
                small[n_small] = i
                n_small += 1
            else:
                large[n_large] = i
                n_large += 1
        while n_small and n_large:
            n_small -= 1
            less, more = small[n_small], large[n_large - 1]
            accept[row, less], alias[row, less] = share[less], more
            share[more] -= 1.0 - share[less]
            if share[more] < 1.0:
                n_large -= 1
                small[n_small] = more
                n_small += 1
        for k in range(n_large):
            accept[row, large[k]], alias[row, large[k]] = 1.0, large[k]
        for k in range(n_small):
            accept[row, small[k]], alias[row, small[k]] = 1.0, small[k]


@numba.njit(nogil=True, cache=True)
def sample_lists(
    first: int,
    seed: int,
    indptr: Int64Array,
    accept: Float32Array,
    alias: Int32Array,
    sequel: Int32Array,
    item_factors: Float32Array,
    item_mean: Float32Array,
    user_bias_std: float,
    noise_std: float,
    anime: Int32Array,
    score: Int8Array,
    chance: Float32Array,
) -> None:
    """Draw the lists of users ``first``, ``first + 1``, ...: which anime, and their scores.

    ``start`` (fans + 1,) delimits what each fan fills of ``anime``, ``score`` and ``chance``
    (uniform, for whoever decides about statuses); no list is longer than there are anime. A fan
    leans to two of the tastes, a row of the alias tables ``accept`` and ``other`` each, and scores
    by ``level`` of the anime, a bias of its own and how its taste meets ``trait`` (n, factors).
    """
    tastes, n = accept.shape
    factors = item_factors.shape[1]
    seen = np.full(n, -1, np.int32)
    user_factors = np.empty(factors, np.float32)
    state = np.empty(1, np.uint64)
    for user in range(len(indptr) - 1):
        state[0] = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(first + user)
        _next_uint64(state)
        state[0] = _next_uint64(state)
        favourite = int(_next_uint64(state) % np.uint64(tastes))
        second = int(_next_uint64(state) % np.uint64(tastes))
        for factor in range(factors):
            user_factors[factor] = _normal(state)
        bias = user_bias_std * _normal(state)
        next_sequel = np.int32(-1)
        for entry in range(indptr[user], indptr[user + 1]):
            if (
                next_sequel >= 0
                and seen[next_sequel] != user
                and _uniform(state) < SEQUEL_PROBABILITY
            ):
                item = next_sequel
            else:
                item = np.int32(0)
                for _ in range(MAX_REDRAWS):
                    z = _next_uint64(state)
                    taste = favourite if z & np.uint64(3) else second
                    item = np.int32((z >> np.uint64(40)) % np.uint64(n))
                    if _uniform(state) >= accept[taste, item]:
                        item = alias[taste, item]
                    if seen[item] != user:
                        break
                while seen[item] == user:
                    item = np.int32(0) if item == n - 1 else np.int32(item + 1)
            seen[item] = user
            raw = item_mean[item] + bias + noise_std * _normal(state)
            for factor in range(factors):
                raw += user_factors[factor] * item_factors[item, factor]
            anime[entry] = item
            score[entry] = min(10, max(1, int(np.round(raw))))
            chance[entry] = _uniform(state)
            next_sequel = sequel[item]
