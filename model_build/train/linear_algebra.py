"""Dense linear algebra in place, by LAPACK."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from app.recommender.array_types import Float32Array


def invert_spd_in_place(matrix: Float32Array) -> None:
    """Turn the lower triangle of a symmetric positive definite matrix into that of its inverse.

    What stands above the diagonal is neither read nor written.

    Raises
    ------
    ArithmeticError
        The matrix is not positive definite.
    """
    # The transpose of a C-ordered matrix is a Fortran-ordered view of the same memory.
    view = matrix.T
    factor, failed = lapack.spotrf(view, lower=0, overwrite_a=1, clean=0)
    if not failed:
        inverse, failed = lapack.spotri(factor, lower=0, overwrite_c=1)
    if failed:
        raise ArithmeticError("a matrix to be inverted is not positive definite.")
    if not np.shares_memory(inverse, matrix):  # a matrix of one element may be copied
        matrix[:] = inverse.T


def copy_upper_to_lower(matrix: npt.NDArray[np.floating], rows: int = 512) -> None:
    """Copy what stands above the diagonal below it."""
    for first in range(0, len(matrix), rows):
        block = slice(first, first + rows)
        matrix[block, :first] = matrix[:first, block].T
        square = matrix[block, block]
        square[:] = np.triu(square) + np.triu(square, 1).T


def copy_lower_to_upper(matrix: npt.NDArray[np.floating]) -> None:
    """Copy what stands below the diagonal above it."""
    copy_upper_to_lower(matrix.T)
