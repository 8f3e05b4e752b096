"""Measures of one ranking against what was relevant, for one fan or a row a fan.

``hits`` is bool (..., places), best place first: whether what stands there is relevant; places that
a short ranking lacks may be missing or False. ``relevant`` (...) is how many relevant there are. A
fan with none has no value: NaN.
"""

from __future__ import annotations

import numpy as np

from app.recommender.array_types import BoolArray, Float64Array, Int64Array


def ndcg(hits: BoolArray, n_relevant: Int64Array | int, k: int) -> Float64Array:
    """Normalised discounted cumulative gain with binary gains.

    sum of 1 / log2(1 + place) over the hits, divided by that of min(at, relevant) hits at the top
    (Jarvelin and Kekalainen 2002).
    """
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(discount)])[np.minimum(k, n_relevant)]
    found = hits[..., :k]
    return np.asarray(found @ discount[: found.shape[-1]] / ideal)


def recall(hits: BoolArray, n_relevant: Int64Array | int, k: int) -> Float64Array:
    """Share of the relevant found among the first ``at``, of the most that could be."""
    return np.asarray(hits[..., :k].sum(axis=-1) / _max_hits(n_relevant, k))


def precision(hits: BoolArray, n_relevant: Int64Array | int, k: int) -> Float64Array:
    """Share of the first ``at`` places that is relevant."""
    some = np.where(np.asarray(n_relevant) > 0, float(k), np.nan)
    return np.asarray(hits[..., :k].sum(axis=-1) / some)


def average_precision(hits: BoolArray, n_relevant: Int64Array | int, k: int) -> Float64Array:
    """Precision at the place of every hit, summed and divided by min(at, relevant).

    Its mean over fans is MAP.
    """
    found = hits[..., :k]
    precision = np.cumsum(found, axis=-1) / np.arange(1, found.shape[-1] + 1)
    return np.asarray((precision * found).sum(axis=-1) / _max_hits(n_relevant, k))


def _max_hits(n_relevant: Int64Array | int, k: int) -> Float64Array:
    return np.where(np.asarray(n_relevant) > 0, np.minimum(k, n_relevant), np.nan)
