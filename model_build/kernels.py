"""The compiled inner loops of the similarity. Arrays in, arrays out; no policy.

All loops release the GIL, so `model_build.similarity` runs them from plain threads.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


@intrinsic
def _accumulate(typingctx: Any, sums: Any, row: Any, left: Any, right: Any) -> Any:  # noqa: ARG001
    """``sums[row] += (1, left * right, left * left, right * right)`` as one vector operation.

    Written out, LLVM turns the four additions into four scalar read-modify-write chains; as one
    256-bit vector the whole loop takes about two thirds of the time, still in double precision.
    """
    signature = types.void(sums, row, left, right)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array = context.make_array(sig.args[0])(context, builder, args[0])
        double, index = ir.DoubleType(), ir.IntType(32)
        vector = ir.VectorType(double, 4)

        def pack(*elements: Any) -> Any:
            packed = ir.Constant(vector, ir.Undefined)
            for position, element in enumerate(elements):
                packed = builder.insert_element(packed, element, ir.Constant(index, position))
            return packed

        _, row_index, left_value, right_value = args
        offset = builder.mul(row_index, ir.Constant(row_index.type, 4))
        pointer = builder.bitcast(builder.gep(array.data, [offset]), vector.as_pointer())
        one = ir.Constant(double, 1.0)
        product = builder.fmul(
            pack(one, left_value, left_value, right_value),
            pack(one, right_value, left_value, right_value),
        )
        builder.store(builder.fadd(builder.load(pointer, align=8), product), pointer, align=8)
        return context.get_dummy_value()

    return signature, codegen


@numba.njit(nogil=True, cache=True, inline="always")
def _shrunk(sums: Floats, j: int, shrinkage: float, min_support: int) -> float:
    """The similarity of one accumulated pair, 0 where negative, and its accumulator cleared."""
    support, product, left, right = sums[j, 0], sums[j, 1], sums[j, 2], sums[j, 3]
    sums[j, 0] = sums[j, 1] = sums[j, 2] = sums[j, 3] = 0.0
    if support < min_support or product <= 0.0:
        return 0.0
    return float(product / np.sqrt(left * right) * (support - 1.0) / (support - 1.0 + shrinkage))


@numba.njit(nogil=True, cache=True)
def _meet(
    i: int,
    item_start: Longs,
    item_user: Ints,
    item_position: Longs,
    user_start: Longs,
    user_item: Ints,
    residual: Floats,
    sums: Floats,
) -> None:
    """Add up every meeting of anime i with a j < i on some fan's list."""
    for p in range(item_start[i], item_start[i + 1]):
        position = item_position[p]
        left = residual[position]
        # Unsigned: no test for an index from the end in the innermost loop.
        for q in range(np.uint64(user_start[item_user[p]]), np.uint64(position)):
            _accumulate(sums, np.int64(user_item[q]), left, residual[q])  # type: ignore[call-arg]


@numba.njit(nogil=True, cache=True)
def _meet_few(
    i: int,
    item_start: Longs,
    item_user: Ints,
    item_position: Longs,
    user_start: Longs,
    user_item: Ints,
    residual: Floats,
    sums: Floats,
    met: Ints,
) -> int:
    """`_meet` that also writes down the j that it met; returns how many."""
    n_met = 0
    for p in range(item_start[i], item_start[i + 1]):
        position = item_position[p]
        left = residual[position]
        for q in range(np.uint64(user_start[item_user[p]]), np.uint64(position)):
            j = user_item[q]
            if sums[j, 0] == 0.0:
                met[n_met] = j
                n_met += 1
            _accumulate(sums, np.int64(j), left, residual[q])  # type: ignore[call-arg]
    return n_met


@numba.njit(nogil=True, cache=True)
def similarity_rows(
    first: int,
    last: int,
    block_first: int,
    item_start: Longs,
    item_user: Ints,
    item_position: Longs,
    user_start: Longs,
    user_item: Ints,
    residual: Floats,
    row_cost: Longs,
    shrinkage: float,
    min_support: int,
    sums: Floats,
    met: Ints,
    block_index: Ints,
    block_value: Singles,
    block_size: Ints,
) -> None:
    """Find the positive similarities of each i in [first, last) to every j < i.

    Row i of the block (at ``i - block_first``) receives the j and the values. ``item_position``
    says where a rating stands in its user's list, so the walk over that list stops exactly at the
    diagonal: each pair of anime is visited once. ``row_cost`` is the length of that walk. ``sums``
    (n_items, 4) is this thread's accumulator, all zero on entry and on return; ``met`` (n_items,)
    is its scratch space.
    """
    for i in range(first, last):
        ratings = (item_start, item_user, item_position, user_start, user_item, residual)
        index, value = block_index[i - block_first], block_value[i - block_first]
        # Where few are met, look at those alone instead of at every j.
        few = row_cost[i] <= i
        if few:
            n_met = _meet_few(i, *ratings, sums, met)
        else:
            _meet(i, *ratings, sums)
            n_met = i
        found = 0
        for m in range(n_met):
            j = met[m] if few else m
            similarity = _shrunk(sums, j, shrinkage, min_support)
            if similarity > 0.0:
                index[found], value[found] = j, similarity
                found += 1
        block_size[i - block_first] = found


@numba.njit(nogil=True, cache=True, inline="always")
def _worse(value: float, index: int, other_value: float, other_index: int) -> bool:
    """Order of neighbours: smaller similarity is worse; of equal ones the later index is."""
    return value < other_value or (value == other_value and index > other_index)


@numba.njit(nogil=True, cache=True)
def _sift_down(
    values: Singles, indices: Ints, size: int, hole: int, value: float, index: int
) -> None:
    """Put a neighbour into a min-heap at ``hole`` or below, where it belongs."""
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        right = child + 1
        if right < size and _worse(values[right], indices[right], values[child], indices[child]):
            child = right
        if not _worse(values[child], indices[child], value, index):
            break
        values[hole], indices[hole] = values[child], indices[child]
        hole = child
    values[hole], indices[hole] = value, index


@numba.njit(nogil=True, cache=True)
def _select_best(values: Singles, indices: Ints, size: int, keep: int) -> None:
    """Reorder so that the ``keep`` best of the first ``size`` come first (Hoare's quickselect)."""
    low, high = 0, size - 1
    while low < high:
        middle = (low + high) >> 1
        pivot, pivot_index = values[middle], indices[middle]
        i, j = low, high
        while i <= j:
            while _worse(pivot, pivot_index, values[i], indices[i]):
                i += 1
            while _worse(values[j], indices[j], pivot, pivot_index):
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                indices[i], indices[j] = indices[j], indices[i]
                i, j = i + 1, j - 1
        if keep - 1 <= j:
            high = j
        elif keep - 1 >= i:
            low = i
        else:
            break


@numba.njit(nogil=True, cache=True)
def keep_best_of_rows(
    first: int,
    last: int,
    block_first: int,
    block_index: Ints,
    block_value: Singles,
    block_size: Ints,
    values: Singles,
    indices: Ints,
    size: Ints,
) -> None:
    """Start the heap of each row i in [first, last) with the best of the j < i that it found."""
    capacity = values.shape[1]
    for i in range(first, last):
        row = i - block_first
        kept = min(capacity, block_size[row])
        if kept < block_size[row]:
            _select_best(block_value[row], block_index[row], block_size[row], kept)
        values[i, :kept] = block_value[row, :kept]
        indices[i, :kept] = block_index[row, :kept]
        for hole in range(kept // 2 - 1, -1, -1):
            _sift_down(values[i], indices[i], kept, hole, values[i, hole], indices[i, hole])
        size[i] = kept


@numba.njit(nogil=True, cache=True)
def offer_columns(
    first: int,
    last: int,
    block_first: int,
    block_last: int,
    block_index: Ints,
    block_value: Singles,
    block_size: Ints,
    values: Singles,
    indices: Ints,
    size: Ints,
) -> None:
    """Offer the heap of each j in [first, last) its neighbours i > j among the rows of a block."""
    capacity = values.shape[1]
    for i in range(block_first, block_last):
        row = i - block_first
        for k in range(block_size[row]):
            j, value = block_index[row, k], block_value[row, k]
            if j < first or j >= last:
                continue
            if size[j] < capacity:
                hole = size[j]
                while hole > 0:
                    parent = (hole - 1) >> 1
                    if not _worse(value, i, values[j, parent], indices[j, parent]):
                        break
                    values[j, hole], indices[j, hole] = values[j, parent], indices[j, parent]
                    hole = parent
                values[j, hole], indices[j, hole] = value, i
                size[j] += 1
            elif value > values[j, 0]:
                # An equal one is not better: i only grows, and of equals the earlier index wins.
                _sift_down(values[j], indices[j], capacity, 0, value, i)


@numba.njit(nogil=True, cache=True)
def collect(
    values: Singles,
    indices: Ints,
    size: Ints,
    order: Ints,
    start: Longs,
    kept_value: Singles,
    kept_index: Ints,
) -> None:
    """Copy what the heaps hold into the rows ``start`` of a matrix in the original numbering."""
    for i in range(len(size)):
        begin = start[order[i]]
        for k in range(size[i]):
            kept_value[begin + k] = values[i, k]
            kept_index[begin + k] = order[indices[i, k]]
