"""Where embeddings start: the directions in which what fans made of anime spreads most."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from app.recommender.array_types import Float32Array
from model_build.engines.training_pairs import TrainingPairs

POPULARITY_DAMPING = 30.0
"""Anime with about so many fans weigh half as much as they would without it."""


def svd_init(pairs: TrainingPairs, value: Float32Array, size: int, seed: int) -> Float32Array:
    """Anime in the ``size`` largest singular directions, weighted by the values, (items, size).

    ``value`` (p,) is each pair's, NaN for none. Fans and anime weigh by the inverse root of how
    much they hold, so that neither long lists nor what everybody has seen decides. Where the data
    has fewer directions, the rest is 0.
    """
    there = ~np.isnan(value)
    fan, item = pairs.user[there], pairs.item[there]
    shape = (len(pairs.user_bias), len(pairs.is_trained_item))
    held, fans = np.bincount(fan, minlength=shape[0]), np.bincount(item, minlength=shape[1])
    weighted = value[there] / np.sqrt(held[fan] * (fans[item] + POPULARITY_DAMPING))
    found = np.zeros((shape[1], size), np.float32)
    many = min(size, min(shape) - 1)
    if not weighted.any():  # everyone scores everything as expected
        return found
    start = np.random.default_rng(seed).normal(size=min(shape))
    matrix = csr_matrix((weighted.astype(np.float64), (fan, item)), shape=shape)
    _, singular, right = svds(matrix, many, v0=start)
    found[:, :many] = (right.T * singular)[:, ::-1]
    return found
