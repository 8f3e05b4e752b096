"""Single operations that numba has no word for, written in LLVM's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

SIMD_LANES = 4
PREFETCH_DISTANCE, PREFETCH_ENTRIES = 6, 64
"""How many lists are fetched ahead, and how many entries of each; measured."""
DOUBLE, INT32 = ir.DoubleType(), ir.IntType(32)
DOUBLE_VECTOR = ir.VectorType(DOUBLE, SIMD_LANES)


def _add_pearson_terms(typingctx: Any, sums: Any, row: Any, left: Any, right: Any) -> Any:  # noqa: ARG001
    """``sums[row] += (1, left * right, left * left, right * right)``, doubles, as one operation.

    Written out, LLVM turns the four additions into four scalar read-modify-write chains; as one
    256-bit vector the whole loop takes about two thirds of the time, still in double precision.
    """
    signature = types.void(sums, row, left, right)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array = context.make_array(sig.args[0])(context, builder, args[0])
        _, place, left, right = args
        one = ir.Constant(DOUBLE, 1.0)
        _add_products(
            builder, array.data, place, (one, left, left, right), (one, right, left, right)
        )
        return context.get_dummy_value()

    return signature, codegen


def _add_outer_product(
    typingctx: Any,  # noqa: ARG001
    sums: Any,
    row: Any,
    left: Any,
    left_other: Any,
    right: Any,
    right_other: Any,
) -> Any:
    """``sums[row] +=`` the outer product of (left, left_other) and (right, right_other)."""
    signature = types.void(sums, row, left, left_other, right, right_other)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array = context.make_array(sig.args[0])(context, builder, args[0])
        _, place, a, b, c, d = args
        _add_products(builder, array.data, place, (a, a, b, b), (c, d, c, d))
        return context.get_dummy_value()

    return signature, codegen


def _add_products(
    builder: Any, data: Any, row: Any, left: Sequence[Any], right: Sequence[Any]
) -> None:
    def pack(elements: Sequence[Any]) -> Any:
        packed = ir.Constant(DOUBLE_VECTOR, ir.Undefined)
        for position, element in enumerate(elements):
            packed = builder.insert_element(packed, element, ir.Constant(INT32, position))
        return packed

    offset = builder.mul(row, ir.Constant(row.type, SIMD_LANES))
    pointer = builder.bitcast(builder.gep(data, [offset]), DOUBLE_VECTOR.as_pointer())
    product = builder.fmul(pack(left), pack(right))
    builder.store(builder.fadd(builder.load(pointer, align=8), product), pointer, align=8)


def _prefetch_element(typingctx: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """Have the processor bring ``array[index]`` near; nothing happens if it is out of bounds."""
    signature = types.void(array, index)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        elements = context.make_array(sig.args[0])(context, builder, args[0])
        byte = ir.IntType(8).as_pointer()
        pointer = builder.bitcast(builder.gep(elements.data, [args[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, INT32, INT32, INT32])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(prefetch, [pointer, INT32(0), INT32(3), INT32(1)])  # to read, into all caches
        return context.get_dummy_value()

    return signature, codegen


# numba's decorator has no types; what it makes is called from compiled code only.
add_pearson_terms: Any = intrinsic(_add_pearson_terms)
add_outer_product: Any = intrinsic(_add_outer_product)
prefetch_element: Any = intrinsic(_prefetch_element)
