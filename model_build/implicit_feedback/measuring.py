"""How well scores find what was hidden: AUC over all anime, and measures of the first ten."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from model_build.implicit_feedback.masking import Side
from model_build.implicit_feedback.ranking_kernels import look
from model_build.metrics import average_precision, ndcg, precision, recall
from model_build.parallel import available_threads, run_ranges

AT = 10
ROWS = 256
"""Fans whose scores are in memory at once, a thread."""

Singles = npt.NDArray[np.float32]
ScoreRows = Callable[[int, int], Singles]
"""Scores of all anime for the fans from one to (not including) another, (rows, n)."""


def measure(side: Side, score: ScoreRows) -> dict[str, float]:
    """Means over the fans of whom something is hidden.

    ``auc``: how likely a hidden anime scores higher than another one that is not on the list.
    ``precision@10`` divides hits by ten, ``recall@10`` by what could be found, ``map@10`` and
    ``ndcg@10`` are as in `model_build.metrics`.
    """
    auc = np.full(len(side), np.nan)
    hits = np.zeros((len(side), AT), bool)

    def work(first: int, last: int) -> None:
        seen, wanted = side.visible, side.hidden
        rows = np.ascontiguousarray(score(first, last))
        look(rows, first, seen.indptr, seen.indices, wanted.indptr, wanted.indices, auc, hits)

    blocks = [(at, min(at + ROWS, len(side))) for at in range(0, len(side), ROWS)]
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(available_threads()) as pool:
        run_ranges(pool, work, blocks)
    relevant = np.diff(side.hidden.indptr).astype(np.int64)
    some = relevant > 0
    found = {"auc": auc} | {
        f"{name}@{AT}": of(hits, relevant, AT)
        for name, of in (
            ("precision", precision),
            ("recall", recall),
            ("map", average_precision),
            ("ndcg", ndcg),
        )
    }
    return {name: _mean(value[some]) for name, value in found.items()}


def _mean(value: npt.NDArray[np.float64]) -> float:
    """The mean of what is defined, NaN if nothing is."""
    defined = value[np.isfinite(value)]
    return float(defined.mean()) if len(defined) else float("nan")


def by_factors(fans: Singles, anime: Singles) -> ScoreRows:
    """Scores as products of fans' factors (fans, f) and anime's (n, f)."""
    return partial(_products, fans, anime)


def the_same(score: Singles) -> ScoreRows:
    """The same scores (n,) for every fan."""
    return lambda first, last: np.broadcast_to(score, (last - first, len(score)))


def _products(fans: Singles, anime: Singles, first: int, last: int) -> Singles:
    return np.asarray(fans[first:last] @ anime.T, np.float32)
