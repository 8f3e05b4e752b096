"""Taking arrays and numbers out of an artifact, refusing what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender import kernels
from app.recommender.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from app.recommender.artifact import ArtifactError, ModelArtifact

MAX_MAGNITUDE = 1e9
"""Weights, biases and counts are far smaller; sums of products of these stay finite."""
SMALLEST_POSITIVE = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class ItemMatrix:
    """A sparse item x item matrix in CSR; row j is the anime on the user's list.

    The weights that row j gives stand at ``indptr[j]:indptr[j + 1]`` in ``indices`` (columns,
    ascending) and ``data``; a stored value times ``scale`` is the weight. Folding a list in reads
    exactly the rows of its anime.

    Examples
    --------
    >>> rows, columns, data = np.array([0, 2, 3]), np.array([0, 1, 1]), np.array([4, 2, 6])
    >>> ItemMatrix(rows, columns, data, scale=0.5).column_entries(1)  # of [[2, 1], [0, 3]]
    (array([0, 1]), array([1., 3.]))
    """

    indptr: Int64Array
    indices: npt.NDArray[Any]
    data: npt.NDArray[Any]
    scale: float = 1.0

    def gather_rows(self, rows: Int64Array, k: int) -> tuple[Int64Array, Int64Array, Float64Array]:
        """Transpose some rows: ``(indptr, entry_index, weight)`` by column, as the kernel says.

        At least the ``k`` largest weights of each column are there.
        """
        del k  # rows are short enough to be taken whole
        n = len(self.indptr) - 1
        return kernels.gather_rows(rows, self.indptr, self.indices, self.data, self.scale, n)

    @classmethod
    def empty(cls, n_items: int) -> ItemMatrix:
        """Return a matrix (n_items, n_items) without weights."""
        return cls(np.zeros(n_items + 1, np.int64), np.zeros(0, np.uint16), np.zeros(0, np.int16))

    def weighted_row_sum(
        self, rows: Int64Array, weights: Float64Array, columns: int
    ) -> Float64Array:
        """Add up some rows (r,), each times its weight (r,); (columns,)."""
        return kernels.weighted_row_sum(
            rows, weights, self.indptr, self.indices, self.data, self.scale, columns
        )

    def dense_submatrix(self, rows: Int64Array, columns: Int64Array, n: int) -> Float64Array:
        """Return the weights at some rows and at some of ``n`` columns, (columns, rows)."""
        return kernels.dense_submatrix(
            rows, columns, self.indptr, self.indices, self.data, self.scale, n
        )

    def column_entries(self, item: int) -> tuple[Int64Array, Float64Array]:
        """All rows with a weight for ``item``, and the weights, (r,) each: one scan, no copy."""
        at = np.flatnonzero(self.indices == item)
        rows = np.searchsorted(self.indptr, at, side="right") - 1
        return rows, self.data[at] * self.scale


class ArtifactReader:
    """Takes arrays and numbers out of an artifact, refusing what does not fit."""

    def __init__(self, artifact: ModelArtifact) -> None:
        self._path = artifact.path
        self._arrays: Mapping[str, npt.NDArray[Any]] = artifact.arrays
        self._hyperparameters = artifact.manifest.hyperparameters

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def array_path(self, name: str) -> Path:
        """Return where an array lies, for errors."""
        return self._path / f"{name}.npy"

    def read_number(
        self, name: str, minimum: float = -MAX_MAGNITUDE, default: float | None = None
    ) -> float:
        """Return a number of the manifest, at least ``minimum``, or raise ArtifactError.

        ``default`` is for a manifest without it.
        """
        value = self._hyperparameters.get(name, default)
        if not isinstance(value, int | float) or not minimum <= value <= MAX_MAGNITUDE:
            raise ArtifactError(
                f"{self._path / 'manifest.json'}: hyperparameter {name} is {value!r}, "
                f"a number of at least {minimum:g} and at most {MAX_MAGNITUDE:g} was expected."
            )
        return float(value)

    def read_text(self, name: str) -> str:
        """Return a hyperparameter of the manifest as text, empty where there is none."""
        return str(self._hyperparameters.get(name, ""))

    def read_vector(
        self, name: str, dtype: Any, length: int | None = None, largest: float = MAX_MAGNITUDE
    ) -> npt.NDArray[Any]:
        """Return an array (length,) of this type without absurd values, or raise ArtifactError."""
        array = self.read_array(name)
        if array.dtype != dtype or array.ndim != 1 or length not in (None, len(array)):
            expected = f"{np.dtype(dtype)}, one dimension" + (f" of {length}" if length else "")
            raise ArtifactError(
                f"{self.array_path(name)}: {array.dtype}{array.shape}; expected {expected}."
            )
        self.check_values(name, array, largest)
        return array

    def read_offsets(self, name: str, count: int | None, end: int) -> Int64Array:
        """Return where ``count`` parts of ``end`` elements begin, and the end, (count + 1,).

        Raises
        ------
        ArtifactError
            They do not ascend from 0 to the end.
        """
        offsets = self.read_vector(name, np.int64, None if count is None else count + 1)
        # Not by differences: those of hostile offsets wrap around.
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != end or not ascends(offsets):
            raise ArtifactError(
                f"{self.array_path(name)}: offsets must ascend from 0 to {end}, "
                "the number of elements."
            )
        return offsets

    def read_positions(
        self, name: str, dtype: Any, below: int, length: int | None = None
    ) -> npt.NDArray[Any]:
        """Return positions (length,) from 0 to ``below``, exclusive, or raise ArtifactError."""
        array = self.read_vector(name, dtype, length)
        if not are_below(array, below):
            raise ArtifactError(f"{self.array_path(name)}: points past what there is.")
        return array

    def check_values(
        self, name: str, array: npt.NDArray[Any], largest: float = MAX_MAGNITUDE
    ) -> None:
        """Raise ArtifactError for values, of any shape, not finite or larger than ``largest``."""
        if array.dtype.kind != "f" or not array.size:
            return
        if array.dtype == np.float16:
            array = array.astype(np.float32)  # processors compare these, in a tenth of the time
        # NaN is neither below nor above; its ends are found without as many truths as numbers.
        if not -largest <= float(array.min()) <= float(array.max()) <= largest:
            raise ArtifactError(
                f"{self.array_path(name)}: holds values that are not finite, or beyond {largest:g}."
            )

    def read_optional_vector(self, name: str, dtype: Any, length: int) -> npt.NDArray[Any]:
        """Return an array (length,) as `read_vector` does, zeros where there is none."""
        return self.read_vector(name, dtype, length) if name in self else np.zeros(length, dtype)

    def read_table(self, name: str, rows: int, columns: int | None = None) -> Float32Array:
        """Return a finite float32 array (rows, columns), or raise ArtifactError."""
        array = self.read_array(name)
        wanted = (rows, array.shape[-1] if columns is None else columns)
        if array.dtype != np.float32 or array.shape != wanted or not array.size:
            raise ArtifactError(
                f"{self.array_path(name)}: {array.dtype}{array.shape}; expected float32{wanted}."
            )
        self.check_values(name, array)
        return array

    def read_sparse_matrix(self, name: str, n_items: int) -> ItemMatrix:
        """Return the matrix (n_items, n_items) of a name, or raise ArtifactError."""
        indices, data = self.read_array(f"{name}_indices"), self.read_array(f"{name}_data")
        for part, array, kinds in (("indices", indices, "ui"), ("data", data, "uif")):
            if array.shape != (len(indices),) or array.dtype.kind not in kinds:
                raise ArtifactError(
                    f"{self.array_path(f'{name}_{part}')}: {array.dtype}{array.shape}; "
                    "expected one dimension, as many columns as weights."
                )
        indptr = self.read_offsets(f"{name}_indptr", n_items, len(indices))
        if not are_below(indices, n_items):
            raise ArtifactError(
                f"{self.array_path(name + '_indices')}: points past the anime there are."
            )
        self.check_values(f"{name}_data", data)
        scale = self.read_number(f"{name}_scale", minimum=SMALLEST_POSITIVE)
        return ItemMatrix(indptr, indices, data, scale)

    def read_array(self, name: str) -> npt.NDArray[Any]:
        """Return an array of any shape, or raise ArtifactError."""
        try:
            return self._arrays[name]
        except KeyError:
            raise ArtifactError(
                f"{self.array_path(name)}: the manifest lists no such array."
            ) from None


def ascends(values: npt.NDArray[Any], *, strictly: bool = False) -> bool:
    """Whether no value of (n,) is below the one before it; ``strictly``: or at it."""
    before, after = values[:-1], values[1:]
    return bool((before < after).all() if strictly else (before <= after).all())


def are_below(positions: npt.NDArray[Any], count: int) -> bool:
    """Whether all of (n,) are from 0 to ``count``, exclusive."""
    return not positions.size or 0 <= int(positions.min()) <= int(positions.max()) < count


def find_positions(ids: Int32Array, wanted: Int32Array | Int64Array) -> Int64Array:
    """Where each of ``wanted`` stands in ascending ``ids``, -1 where it does not; (wanted,).

    >>> find_positions(np.array([3, 5, 9], np.int32), np.array([9, 4, 3])).tolist()
    [2, -1, 0]
    """
    if not len(ids):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[at] == wanted, at, -1).astype(np.int64)
