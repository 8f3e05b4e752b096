"""Work cut into ranges and run by threads; the kernels release the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from app.recommender.array_types import Int64Array


def available_cpus() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def balanced_ranges(cost: Int64Array, n_ranges: int, offset: int = 0) -> list[tuple[int, int]]:
    """Cut the indices of ``cost`` (n,) into at most ``n_ranges`` of about equal total cost."""
    total = np.cumsum(cost)
    cuts = np.searchsorted(total, total[-1] * np.arange(1, n_ranges) / n_ranges)
    edges = np.unique(np.concatenate([[0], cuts, [len(cost)]])) + offset
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def run_over_ranges(
    pool: ThreadPoolExecutor,
    work: Callable[..., None],
    ranges: Iterable[tuple[int, int]],
    *arguments: object,
) -> None:
    """Run ``work(first, last, *arguments)`` for every range; the first error is raised."""
    futures: list[Future[None]] = [
        pool.submit(work, first, last, *arguments) for first, last in ranges
    ]
    for future in futures:
        future.result()
