"""A mixing of 64 bits, and samples that are drawn by it."""

from __future__ import annotations

import numpy as np

from app.recommender.array_types import Int64Array, IntArray, UInt64Array


def splitmix64(numbers: IntArray) -> UInt64Array:
    """Map 64 bits (...,) one to one, every bit by all others (Steele et al., OOPSLA 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def sample_by_hash(numbers: Int64Array, max_size: int) -> Int64Array:
    """Return the ``max_size`` of ascending ``numbers`` (n,) with the smallest hashes, ascending.

    A number is drawn or not by its hash alone, so that the sample of a set is the sample of the
    samples of its parts.
    """
    if len(numbers) <= max_size:
        return numbers
    drawn = np.argsort(splitmix64(numbers), kind="stable")[:max_size]
    return np.sort(numbers[drawn])
