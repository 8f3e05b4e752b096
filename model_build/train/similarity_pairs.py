"""Every positive similarity of the better known items, each pair once, in 16 bits.

A prediction rests on the ``k`` largest similarities of a list to an item, so what is stored must
tell them apart: codes are given out so that among the similarities of any item their order is
exactly that of the values, equal ones by id (`order_preserving_codes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from app.recommender.array_types import Float32Array, Int32Array, Int64Array, UInt16Array
from app.recommender.pair_matrix import WORD_BITS, row_word_starts
from model_build.train.similarity import SimilarityRows
from model_build.util.progress import ProgressCallback, no_progress

N_CODES = 1 << 16
SMALLEST_SHARE = 1e-6
"""Of the largest similarity: below it codes are no longer finer for what is smaller."""


@dataclass(frozen=True, slots=True)
class SimilarityPairs:
    """Similarities ``value`` (p,) of items numbered ``low`` (p,) < ``high`` (p,).

    ``order`` (m,) are the positions of the numbers; only the first ``n_rows`` are in ``low``.
    """

    order: Int64Array
    n_rows: int
    low: Int32Array
    high: Int32Array
    value: Float32Array


def collect_pairs(
    blocks: Iterable[SimilarityRows],
    order: Int64Array,
    rating_count: Int64Array,
    min_ratings: int,
    *,
    step: str = "similarity",
    on_progress: ProgressCallback = no_progress,
) -> SimilarityPairs:
    """Keep all similarities of pairs in which one item has ``min_ratings`` ratings.

    Memory: 12 bytes a pair.

    Parameters
    ----------
    blocks
        All rows, in their order.
    order, rating_count
        (n_items,) number k is the item ``order[k]``, and its ratings, which fall.
    """
    n_rows = int((rating_count >= min_ratings).sum())
    parts = []
    for rows in blocks:
        size = rows.size.astype(np.int64)
        at = np.concatenate([np.arange(s, s + n) for s, n in zip(rows.start, size, strict=False)])
        low, value = rows.index[at], rows.value[at]
        high = np.repeat(np.arange(rows.first, rows.last, dtype=np.int32), size)
        kept = low < n_rows
        parts.append((low[kept], high[kept], value[kept]))
        on_progress(step, rows.last, len(order))
    low, high, value = (np.concatenate(each) for each in zip(*parts, strict=True))
    m = int(high.max()) + 1 if len(high) else 0
    return SimilarityPairs(order[:m], min(n_rows, m), low, high, value)


def encode_pairs(name: str, pairs: SimilarityPairs) -> dict[str, npt.NDArray[np.generic]]:
    """Encode pairs as `app.recommender.pair_matrix.PairMatrix` reads them."""
    wanted, value = value_codes(pairs.value)
    code = order_preserving_codes(pairs, wanted)
    stored = np.argsort(pairs.low.astype(np.int64) * len(pairs.order) + pairs.high)
    low, high = pairs.low[stored].astype(np.int64), pairs.high[stored].astype(np.int64)
    word_start = row_word_starts(len(pairs.order))[: pairs.n_rows + 1]
    bits = np.zeros(word_start[-1], np.uint64)
    at = word_start[low] + high // WORD_BITS - low // WORD_BITS
    np.bitwise_or.at(bits, at, np.uint64(1) << (high % WORD_BITS).astype(np.uint64))
    return {
        f"{name}_order": pairs.order.astype(np.int32),
        f"{name}_bits": bits,
        f"{name}_code": code[stored],
        f"{name}_value": value,
    }


def value_codes(values: Float32Array) -> tuple[Int64Array, Float32Array]:
    """Codes of values (p,) above 0, ascending with them; and what each of the 65,536 stands for.

    Half of the codes are spread evenly over the logarithms, so that errors are small for all, and
    half over the values there are, so that where many are alike codes are not used up.
    """
    if not len(values):
        return np.zeros(0, np.int64), np.ones(1, np.float32)
    rising = np.argsort(values, kind="stable")
    ascending = values[rising]
    logarithm = np.log(ascending.astype(np.float64))
    share = np.maximum(logarithm - logarithm[-1], np.log(SMALLEST_SHARE)) / np.log(SMALLEST_SHARE)
    height = (1 - share + np.linspace(0, 1, len(values))) / 2
    last_of_equals = np.flatnonzero(np.append(ascending[1:] != ascending[:-1], True))
    height = np.repeat(height[last_of_equals], np.diff(last_of_equals, prepend=-1))
    code = np.empty(len(values), np.int64)
    code[rising] = np.rint(height * (N_CODES - 1))
    return code, np.exp(np.interp(np.linspace(0, 1, N_CODES), height, logarithm)).astype(np.float32)


def order_preserving_codes(pairs: SimilarityPairs, wanted: Int64Array) -> UInt16Array:
    """Give each pair the code ``wanted`` (p,), or the next lower that keeps the order.

    Of the pairs of one item, one with a larger similarity, or an equal one and a partner of smaller
    id, has a larger code, or an equal one and a partner of smaller id. Only where the lowest code
    is reached may that fail.
    """
    first, second = pairs.order[pairs.low], pairs.order[pairs.high]
    smaller, larger = np.minimum(first, second), np.maximum(first, second)
    # Of equal values by ids: so partners of each item come in the order of theirs.
    by_ids = np.argsort(smaller * (pairs.order.max(initial=0) + 1) + larger)
    falling = by_ids[np.argsort(-pairs.value[by_ids], kind="stable")]
    code = np.empty(len(wanted), np.uint16)
    _fill_codes(falling, smaller, larger, wanted, int(pairs.order.max(initial=-1)) + 1, code)
    return code


@numba.njit(nogil=True, cache=True)
def _fill_codes(
    falling: Int64Array,
    left: Int64Array,
    right: Int64Array,
    wanted: Int64Array,
    n_items: int,
    code: UInt16Array,
) -> None:
    """Go from the largest similarity to the smallest, never above what either item has had.

    An equal code is right only if the partner's id is larger than those of all that share it.
    """
    last_code = np.full(n_items, 1 << 20, np.int64)
    last_partner = np.full(n_items, -1, np.int64)
    for p in falling:
        i, j = left[p], right[p]
        chosen = min(
            wanted[p],
            last_code[i] - (1 if j < last_partner[i] else 0),
            last_code[j] - (1 if i < last_partner[j] else 0),
        )
        chosen = max(chosen, 0)
        code[p] = chosen
        for item, partner in ((i, j), (j, i)):
            if chosen == last_code[item]:
                last_partner[item] = max(last_partner[item], partner)
            else:
                last_code[item], last_partner[item] = chosen, partner
