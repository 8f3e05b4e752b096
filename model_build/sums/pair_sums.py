"""Sums over fans for pairs of anime, in blocks of rows, and what is made of them.

A block holds rows [first, last) of the lower triangle, (rows, last, 4) float64. Blocks of different
fans over the same anime can be added; a block is finished by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model_build.kernels import walk_lengths
from model_build.neighbours import Neighbours
from model_build.parallel import available_threads, even_ranges, run_ranges
from model_build.sums import pair_kernels

LANES = 4
RANGES_PER_THREAD = 4
ELEMENT_BYTES = 8 * LANES

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


class Lists(Protocol):
    """Entries grouped by fan and by anime, as in `model_build.grouping`."""

    @property
    def user_start(self) -> npt.NDArray[np.int64]: ...
    @property
    def user_item(self) -> npt.NDArray[np.int32]: ...
    @property
    def item_start(self) -> npt.NDArray[np.int64]: ...
    @property
    def item_user(self) -> npt.NDArray[np.int32]: ...
    @property
    def item_position(self) -> npt.NDArray[np.int32]: ...


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows [first, last) of the lower triangle."""

    first: int
    last: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.last - self.first, self.last, LANES


def rows_within(n_items: int, most_bytes: int, first: int = 0) -> list[Rows]:
    """The rows from ``first``, in blocks of at most ``most_bytes``, or of one row."""
    found = []
    most = most_bytes // ELEMENT_BYTES
    while first < n_items:
        # The largest r with r (first + r) <= most.
        rows = int((np.sqrt(first * first + 4.0 * most) - first) / 2)
        last = min(n_items, first + max(1, rows))
        found.append(Rows(first, last))
        first = last
    return found


def pearson_block(lists: Lists, value: Floats, rows: Rows, threads: int | None = None) -> Floats:
    """Support, sum of products and both sums of squares of each pair i > j of ``value``.

    ``value`` is parallel to ``lists.user_item``.
    """
    return _block(pair_kernels.pearson_rows, lists, (value,), rows, threads)


def outer_block(
    lists: Lists, given: Singles, wanted: Singles, rows: Rows, threads: int | None = None
) -> Floats:
    """x_i x_j, x_i y_j and y_i x_j of each pair i >= j; the last element means nothing."""
    return _block(pair_kernels.outer_rows, lists, (given, wanted), rows, threads)


def _block(
    kernel: Callable[..., None],
    lists: Lists,
    values: tuple[npt.NDArray[np.floating], ...],
    rows: Rows,
    threads: int | None,
) -> Floats:
    threads = threads or available_threads()
    block = np.zeros(rows.shape)
    grouped = (
        lists.item_start,
        lists.item_user,
        lists.item_position,
        lists.user_start,
        lists.user_item,
        *values,
    )
    if threads == 1:
        kernel(rows.first, rows.last, rows.first, *grouped, block)
        return block
    cost = np.empty(len(lists.item_start) - 1, np.int64)
    walk_lengths(lists.item_start, lists.item_user, lists.item_position, lists.user_start, cost)
    ranges = even_ranges(cost[rows.first : rows.last] + 1, threads * RANGES_PER_THREAD, rows.first)
    with ThreadPoolExecutor(threads) as pool:
        run_ranges(pool, kernel, ranges, rows.first, *grouped, block)
    return block


@dataclass(frozen=True, slots=True)
class Similar:
    """Positive similarities of rows to smaller numbers: CSR with ``size`` of each row."""

    rows: Rows
    index: npt.NDArray[np.int32]
    value: Singles
    size: npt.NDArray[np.int32]


def similarities(block: Floats, rows: Rows, shrinkage: float, min_support: int) -> Similar:
    """Finish a block of sums of all fans."""
    count, width, _ = rows.shape
    index, value = np.empty((count, width), np.int32), np.empty((count, width), np.float32)
    size = np.empty(count, np.int32)
    pair_kernels.similarities(rows.first, block, shrinkage, max(2, min_support), index, value, size)
    filled = np.arange(width) < size[:, None]
    return Similar(rows, index[filled], value[filled], size)


def offer(nearest: Neighbours, similar: Similar, pool: ThreadPoolExecutor, threads: int) -> None:
    """Give the similarities of a block to the heaps; blocks come in order."""
    rows = similar.rows
    count, width, _ = rows.shape
    filled = np.arange(width) < similar.size[:, None]
    index, value = np.empty((count, width), np.int32), np.empty((count, width), np.float32)
    index[filled], value[filled] = similar.index, similar.value
    row_ranges = even_ranges(similar.size.astype(np.int64) + 1, threads, rows.first)
    column_ranges = even_ranges(np.ones(rows.last, np.int64), threads)
    nearest.offer(pool, rows.first, (index, value, similar.size), row_ranges, column_ranges)
