"""Draw some of many fans so that draws of different fans can be put together.

Each fan has a place in a shuffled order that depends on nothing but its number; drawn are the first
``most``. So the draw from all fans is the draw from the draws of any parts.
"""

from __future__ import annotations

import numpy as np

from app.recommender.array_types import Int64Array, UInt64Array


def sample_by_hash(numbers: Int64Array, max_size: int) -> Int64Array:
    """The ``most`` of ascending ``numbers`` that come first in the shuffled order, ascending."""
    if len(numbers) <= max_size:
        return numbers
    chosen = np.argsort(_splitmix64(numbers), kind="stable")[:max_size]
    return np.sort(numbers[chosen])


def _splitmix64(numbers: Int64Array) -> UInt64Array:
    """A one-to-one mixing of 64 bits: SplitMix64 (Steele et al., OOPSLA 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
