"""Linear algebra: dense in place, by LAPACK, and leading singular vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from app.recommender.array_types import Float32Array, FloatArray

SUBSPACE_MARGIN, SUBSPACE_STEPS, COVARIANCE_STEPS = 20, 6, 3


def invert_spd_in_place(matrix: Float32Array) -> None:
    """Turn the lower triangle of a positive definite matrix (n, n) into that of its inverse.

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


def copy_upper_to_lower(matrix: FloatArray, rows: int = 512) -> None:
    """Copy what stands above the diagonal of (n, n) below it, ``rows`` at a time."""
    for first in range(0, len(matrix), rows):
        block = slice(first, first + rows)
        matrix[block, :first] = matrix[:first, block].T
        square = matrix[block, block]
        square[:] = np.triu(square) + np.triu(square, 1).T


def copy_lower_to_upper(matrix: FloatArray) -> None:
    """Copy what stands below the diagonal of (n, n) above it."""
    copy_upper_to_lower(matrix.T)


def leading_factors(
    multiply: Callable[[Float32Array], Float32Array], m: int, size: int
) -> Float32Array:
    """Find V (m, f) of the closest V V' to a covariance (m, m): leading eigenvectors, scaled.

    ``multiply`` multiplies the covariance with (m, k). By subspace iteration (Halko, Martinsson and
    Tropp 2011), from the same start every time; f is at most ``size``.
    """
    size = min(size, m)
    width = min(m, size + SUBSPACE_MARGIN)
    basis = np.random.default_rng(0).normal(size=(m, width)).astype(np.float32)
    with threadpool_limits(1):
        for _ in range(COVARIANCE_STEPS):
            basis = np.linalg.qr(multiply(basis))[0]
        value, vector = np.linalg.eigh((basis.T @ multiply(basis)).astype(np.float64))
        scaled = vector[:, -size:] * np.sqrt(np.maximum(value[-size:], 0.0))
        return np.asarray(basis @ scaled, np.float32)


def leading_singular_vectors(matrix: csr_array, size: int) -> Float32Array:
    """Find right singular vectors times singular values of (m, n): (n, up to ``size``).

    By subspace iteration, as `leading_factors`.
    """
    columns = matrix.shape[1]
    size = min(size, *matrix.shape)
    width = min(columns, size + SUBSPACE_MARGIN)
    basis = np.random.default_rng(0).normal(size=(columns, width)).astype(np.float32)
    with threadpool_limits(1):
        for _ in range(SUBSPACE_STEPS):
            basis = np.linalg.qr(matrix.T @ (matrix @ basis))[0]
        _, singular, right = np.linalg.svd(matrix @ basis, full_matrices=False)
        return np.asarray((basis @ right[:size].T) * singular[:size], np.float32)
