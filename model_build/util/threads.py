"""Work cut into ranges and run by threads; the kernels release the GIL."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from app.recommender.array_types import Int64Array

T = TypeVar("T")
R = TypeVar("R")


def available_cpus() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def balanced_ranges(cost: Int64Array, n_ranges: int, offset: int = 0) -> list[tuple[int, int]]:
    """Cut the indices of ``cost`` (n,) into at most ``n_ranges`` of about equal total cost."""
    total = np.cumsum(cost)
    cuts = np.searchsorted(total, total[-1] * np.arange(1, n_ranges) / n_ranges)
    edges = np.unique(np.concatenate([[0], cuts, [len(cost)]])) + offset
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def map_ahead(
    pool: Executor, work: Callable[[T], R], items: Iterable[T], ahead: int
) -> Iterator[R]:
    """Results in the order of the items; at most ``ahead`` are computed before they are wanted."""
    waiting: deque[Future[R]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


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
