"""How well scores find what was hidden: AUC over all anime, and measures of the first ten."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from app.recommender.array_types import Float32Array, Float64Array
from model_build.data.masking import MaskedUsers
from model_build.evaluate.ranking_kernels import rank_block
from model_build.evaluate.ranking_metrics import average_precision, ndcg, precision, recall
from model_build.util.threads import available_cpus, run_over_ranges

CUTOFF = 10
BLOCK_USERS = 256
"""Fans whose scores are in memory at once, a thread."""

BlockScorer = Callable[[int, int], Float32Array]
"""Scores of all anime for the fans from one to (not including) another, (rows, n)."""


def evaluate_scores(users: MaskedUsers, score_block: BlockScorer) -> dict[str, float]:
    """Means over the fans of whom something is hidden.

    ``auc``: how likely a hidden anime scores higher than another one that is not on the list.
    ``precision@10`` divides hits by ten, ``recall@10`` by what could be found, ``map@10`` and
    ``ndcg@10`` are as in `model_build.evaluate.ranking_metrics`.
    """
    auc = np.full(len(users), np.nan)
    hits = np.zeros((len(users), CUTOFF), bool)

    def work(first: int, last: int) -> None:
        seen, wanted = users.visible, users.hidden
        rows = np.ascontiguousarray(score_block(first, last))
        rank_block(rows, first, seen.indptr, seen.indices, wanted.indptr, wanted.indices, auc, hits)

    blocks = [(at, min(at + BLOCK_USERS, len(users))) for at in range(0, len(users), BLOCK_USERS)]
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(available_cpus()) as pool:
        run_over_ranges(pool, work, blocks)
    relevant = np.diff(users.hidden.indptr).astype(np.int64)
    some = relevant > 0
    found = {"auc": auc} | {
        f"{name}@{CUTOFF}": of(hits, relevant, CUTOFF)
        for name, of in (
            ("precision", precision),
            ("recall", recall),
            ("map", average_precision),
            ("ndcg", ndcg),
        )
    }
    return {name: _finite_mean(value[some]) for name, value in found.items()}


def _finite_mean(value: Float64Array) -> float:
    """The mean of what is defined, NaN if nothing is."""
    defined = value[np.isfinite(value)]
    return float(defined.mean()) if len(defined) else float("nan")


def factor_scorer(user_factors: Float32Array, item_factors: Float32Array) -> BlockScorer:
    """Scores as products of fans' factors (fans, f) and anime's (n, f)."""
    return partial(_factor_scores, user_factors, item_factors)


def constant_scorer(scores: Float32Array) -> BlockScorer:
    """The same scores (n,) for every fan."""
    return lambda first, last: np.broadcast_to(scores, (last - first, len(scores)))


def _factor_scores(
    user_factors: Float32Array, item_factors: Float32Array, first: int, last: int
) -> Float32Array:
    return np.asarray(user_factors[first:last] @ item_factors.T, np.float32)
