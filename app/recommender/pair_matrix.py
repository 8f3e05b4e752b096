"""A symmetric matrix of similarities with every pair stored once: what `order=score` rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.recommender.array_types import (
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
    UInt16Array,
    UInt64Array,
)
from app.recommender.arrays import ArtifactReader
from app.recommender.artifact import ArtifactError
from app.recommender.kernels import jit_compiled

WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class PairMatrix:
    """A symmetric item x item matrix of positive weights, of which each pair is stored once.

    The m items that are in pairs are numbered: number k is item ``order[k]``, and ``number`` (n,)
    is the inverse, -1 for the others. Only the first r numbers have rows. Row a is a bit for each
    number b > a, set where the two are a pair, in words of 64 numbers that begin with the word of
    a: the bit of (a, b) is bit b % 64 of ``bits[word_start[a] + b // 64 - a // 64]``. The weight of
    the p-th set bit of all rows is ``value[code[p]]``; ``pairs_before`` counts the set bits before
    each word. ``value`` (c,) ascends, so that codes compare as weights do.
    """

    order: Int32Array
    number: Int64Array
    bits: UInt64Array
    word_start: Int64Array
    pairs_before: Int64Array
    code: UInt16Array
    value: Float32Array

    @classmethod
    def from_parts(
        cls,
        order: Int32Array,
        bits: UInt64Array,
        code: UInt16Array,
        value: Float32Array,
        n_items: int,
    ) -> PairMatrix:
        """From what is stored (shapes: `PairMatrix`), for ``n_items`` anime.

        Raises
        ------
        ValueError
            The parts do not fit together.
        """
        m = len(order)
        if m and not 0 <= int(order.min()) <= int(order.max()) < n_items:
            raise ValueError("its order points past the anime there are")
        number = np.full(n_items, -1, np.int64)
        number[order] = np.arange(m)
        if (number[order] != np.arange(m)).any():
            raise ValueError("its order names an anime twice")
        word_start = row_word_starts(m)
        n_rows = int(np.searchsorted(word_start, len(bits)))
        if n_rows > m or word_start[n_rows] != len(bits):
            raise ValueError(f"{len(bits)} words of bits are no whole number of rows")
        rows = np.arange(n_rows)
        to_itself = np.uint64(2) << (rows % WORD_BITS).astype(np.uint64)
        first_words, last_words = bits[word_start[:n_rows]], bits[word_start[1 : n_rows + 1] - 1]
        past_the_end = np.uint64(m % WORD_BITS)
        if (first_words & (to_itself - np.uint64(1))).any() or (
            past_the_end and (last_words >> past_the_end).any()
        ):
            raise ValueError("a bit is set where no pair is")
        pairs_before = np.zeros(len(bits) + 1, np.int64)
        np.cumsum(np.bitwise_count(bits), out=pairs_before[1:])
        if pairs_before[-1] != len(code):
            raise ValueError(f"{pairs_before[-1]} bits are set for {len(code)} codes")
        if len(code) and int(code.max()) >= len(value):
            raise ValueError("a code points past the values there are")
        if (value <= 0).any() or (np.diff(value) < 0).any():
            raise ValueError("its values must be above 0 and ascend")
        return cls(order, number, bits, word_start[: n_rows + 1], pairs_before[:-1], code, value)

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, name: str, n_items: int) -> PairMatrix:
        """From the arrays of a name, or raise ArtifactError."""
        parts = (
            arrays.read_vector(f"{name}_order", np.int32),
            arrays.read_vector(f"{name}_bits", np.uint64),
            arrays.read_vector(f"{name}_code", np.uint16),
            arrays.read_vector(f"{name}_value", np.float32),
        )
        try:
            return cls.from_parts(*parts, n_items)
        except ValueError as error:
            raise ArtifactError(f"{arrays.array_path(f'{name}_bits')}: {error}.") from None

    def gather_rows(self, rows: Int64Array, k: int) -> tuple[Int64Array, Int64Array, Float64Array]:
        """Do as `ItemMatrix.gather_rows` for (r,) rows, of each column the ``k`` largest alone."""
        indptr, entry_index, code = gather_nearest_pairs(
            self.number[rows],
            self.order,
            self.bits,
            self.word_start,
            self.pairs_before,
            self.code,
            len(self.number),
            k,
        )
        return indptr, entry_index, self.value[code].astype(np.float64)

    def column_entries(self, item: int) -> tuple[Int64Array, Float64Array]:
        """All items (r,) that are in a pair with ``item``, ascending, and the weights (r,)."""
        indptr, _, weight = self.gather_rows(np.array([item]), 1)
        return np.flatnonzero(np.diff(indptr)), weight


def row_word_starts(m: int) -> Int64Array:
    """Where the words of each row begin if all m numbers had rows, (m + 1,)."""
    words = -(-m // WORD_BITS)
    lengths = words - np.arange(m, dtype=np.int64) // WORD_BITS
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


@jit_compiled
def gather_nearest_pairs(
    entry_number: Int64Array,
    order: Int32Array,
    bits: UInt64Array,
    word_start: Int64Array,
    pairs_before: Int64Array,
    code: UInt16Array,
    n: int,
    k: int,
) -> tuple[Int64Array, Int64Array, UInt16Array]:
    """Find the ``k`` nearest entries of each of n items in pairs stored as `PairMatrix` says.

    ``entry_number`` (entries,) are the numbers of the entries, -1 for none. Returns ``(indptr,
    entry_index, code)`` by item, as `app.recommender.kernels.gather_rows` does, but those of an
    item in no order.

    Items are taken 64 at a time, by number. An entry met is a code and, below it, how many entries
    come after it, so that of equal codes the earlier entry is the larger number.
    """
    n_entries, n_rows, m = len(entry_number), len(word_start) - 1, len(order)
    kept, last = min(k, n_entries), np.uint64(n_entries - 1)
    entry_of, present = np.zeros(m, np.int64), np.zeros((m >> 6) + 1, np.uint64)
    for w in range(n_entries):
        number = entry_number[w]
        if number >= 0:
            entry_of[number] = w
            present[number >> 6] |= np.uint64(1) << np.uint64(number & 63)
    best = np.empty((m, kept), np.uint64)
    size = np.zeros(n, np.int64)
    met, found = np.empty((WORD_BITS, n_entries), np.uint64), np.empty(WORD_BITS, np.int64)
    for first in range(0, m, WORD_BITS):
        found[:] = 0
        _meet_in_rows_of_entries(
            first, entry_number, bits, word_start, pairs_before, code, met, found
        )
        for t in range(min(WORD_BITS, m - first)):
            row = first + t
            if row < n_rows:
                found[t] = _meet_in_own_row(
                    row,
                    *(entry_of, present, n_entries, bits, word_start, pairs_before, code),
                    *(met[t], found[t]),
                )
            held = min(found[t], kept)
            if found[t] > kept:
                select_largest(met[t, : found[t]], kept)
            _copy_first(met[t], best[row], held)
            size[order[row]] = held
    indptr = np.zeros(n + 1, np.int64)
    for i in range(n):
        indptr[i + 1] = indptr[i] + size[i]
    entry_index, out_code = np.empty(indptr[n], np.int64), np.empty(indptr[n], np.uint16)
    for row in range(m):
        begin = indptr[order[row]]
        for place in range(size[order[row]]):
            entry = best[row, place]
            entry_index[begin + place] = np.int64(last - (entry & np.uint64(0xFFFFFFFF)))
            out_code[begin + place] = np.uint16(entry >> np.uint64(32))
    return indptr, entry_index, out_code


@jit_compiled
def _copy_first(values: UInt64Array, to: UInt64Array, count: int) -> None:
    # One by one: a slice brings checks of its shape along, which take long to compile.
    for at in range(count):
        to[at] = values[at]


@jit_compiled
def _meet_in_rows_of_entries(
    first: int,
    entry_number: Int64Array,
    bits: UInt64Array,
    word_start: Int64Array,
    pairs_before: Int64Array,
    code: UInt16Array,
    met: UInt64Array,
    found: Int64Array,
) -> None:
    """Meet the entries whose rows have items of the 64 numbers from ``first`` on.

    The pairs of an entry with items of larger numbers lie side by side.
    """
    last = np.uint64(len(entry_number) - 1)
    for w in range(len(entry_number)):
        row = entry_number[w]
        if row < 0 or row >= len(word_start) - 1 or row >= first + WORD_BITS:
            continue
        at = word_start[row] + (first >> 6) - (row >> 6)
        word, p = bits[at], pairs_before[at]
        while word:
            lowest = word & (~word + np.uint64(1))
            t = count_bits(lowest - np.uint64(1))
            met[t, found[t]] = (np.uint64(code[p]) << np.uint64(32)) | (last - np.uint64(w))
            found[t] += 1
            p += 1
            word ^= lowest


@jit_compiled
def _meet_in_own_row(
    row: int,
    entry_of: Int64Array,
    present: UInt64Array,
    n_entries: int,
    bits: UInt64Array,
    word_start: Int64Array,
    pairs_before: Int64Array,
    code: UInt16Array,
    met: UInt64Array,
    found: int,
) -> int:
    """Meet the entries in the row of an item, which are of larger numbers; how many are met now.

    ``entry_of`` (m,) is the entry of a number, where the bit of that number is set in ``present``.
    """
    last = np.uint64(n_entries - 1)
    first = row >> 6
    for at in range(word_start[row], word_start[row + 1]):
        block = first + at - word_start[row]
        both = bits[at] & present[block]
        while both:
            lowest = both & (~both + np.uint64(1))
            p = pairs_before[at] + count_bits(bits[at] & (lowest - np.uint64(1)))
            number = (block << 6) + count_bits(lowest - np.uint64(1))
            met[found] = (np.uint64(code[p]) << np.uint64(32)) | (
                last - np.uint64(entry_of[number])
            )
            found += 1
            both ^= lowest
    return found


@jit_compiled
def count_bits(word: Any) -> int:
    """Count the bits that are set in 64: in pairs, in fours and in bytes, which are added up."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    pairs = np.uint64(0x3333333333333333)
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@jit_compiled
def select_largest(values: UInt64Array, k: int) -> None:
    """Reorder (m,) different values in place so that the k largest come first.

    Quickselect (Hoare 1961) with Lomuto's partition, which moves every value and asks nothing:
    what a processor cannot foresee costs it more.
    """
    low, high = 0, len(values)
    while high - low > 1:
        a, b, c = values[low], values[(low + high) >> 1], values[high - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        end = low
        for at in range(low, high):
            value = values[at]
            values[at] = values[end]
            values[end] = value
            end += int(value >= pivot)
        # The pivot, the smallest of those in front of `end`, comes last of them.
        for at in range(low, end):
            if values[at] == pivot:
                values[at], values[end - 1] = values[end - 1], values[at]
                break
        if k < end:
            high = end - 1
        elif k > end:
            low = end
        else:
            break
