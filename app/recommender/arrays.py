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

    def column_entries(self, item: int) -> tuple[Int64Array, Float64Array]:
        """Return all rows with a weight for ``item``, and the weights: one scan, no second copy."""
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
        self, name: str, minimum: float = -np.inf, default: float | None = None
    ) -> float:
        """Return a finite number of the manifest, at least ``minimum``, or raise ArtifactError.

        ``default`` is for a manifest without it.
        """
        value = self._hyperparameters.get(name, default)
        if not isinstance(value, int | float) or not np.isfinite(value) or value < minimum:
            raise ArtifactError(
                f"{self._path / 'manifest.json'}: hyperparameter {name} is {value!r}, "
                f"a number{'' if np.isinf(minimum) else f' of at least {minimum:g}'} was expected."
            )
        return float(value)

    def read_text(self, name: str) -> str:
        """Return a hyperparameter of the manifest as text, empty where there is none."""
        return str(self._hyperparameters.get(name, ""))

    def read_vector(self, name: str, dtype: Any, length: int | None = None) -> npt.NDArray[Any]:
        """Return a finite array (length,) of this type, or raise ArtifactError."""
        array = self.read_array(name)
        if array.dtype != dtype or array.ndim != 1 or length not in (None, len(array)):
            expected = f"{np.dtype(dtype)}, one dimension" + (f" of {length}" if length else "")
            raise ArtifactError(
                f"{self.array_path(name)}: {array.dtype}{array.shape}; expected {expected}."
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ArtifactError(f"{self.array_path(name)}: holds values that are not finite.")
        return array

    def read_optional_vector(self, name: str, dtype: Any, length: int) -> npt.NDArray[Any]:
        """Return an array as `read_vector` does, zeros where there is none."""
        return self.read_vector(name, dtype, length) if name in self else np.zeros(length, dtype)

    def read_table(self, name: str, rows: int, columns: int | None = None) -> Float32Array:
        """Return a finite float32 array (rows, columns), or raise ArtifactError."""
        array = self.read_array(name)
        wanted = (rows, array.shape[-1] if columns is None else columns)
        if array.dtype != np.float32 or array.shape != wanted or not array.size:
            raise ArtifactError(
                f"{self.array_path(name)}: {array.dtype}{array.shape}; expected float32{wanted}."
            )
        if not np.isfinite(array).all():
            raise ArtifactError(f"{self.array_path(name)}: holds values that are not finite.")
        return array

    def read_sparse_matrix(self, name: str, n_items: int) -> ItemMatrix:
        """Return the matrix (n_items, n_items) of a name, or raise ArtifactError."""
        indptr = self.read_vector(f"{name}_indptr", np.int64, n_items + 1)
        indices, data = self.read_array(f"{name}_indices"), self.read_array(f"{name}_data")
        if (np.diff(indptr) < 0).any() or indptr[0] != 0:
            raise ArtifactError(f"{self.array_path(name + '_indptr')}: offsets must ascend from 0.")
        for part, array, kinds in (("indices", indices, "ui"), ("data", data, "uif")):
            if array.shape != (indptr[-1],) or array.dtype.kind not in kinds:
                raise ArtifactError(
                    f"{self.array_path(f'{name}_{part}')}: {array.dtype}{array.shape}; "
                    f"expected {indptr[-1]} elements as {name}_indptr says."
                )
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < n_items:
            raise ArtifactError(
                f"{self.array_path(name + '_indices')}: points past the anime there are."
            )
        if data.dtype.kind == "f" and not np.isfinite(data).all():
            raise ArtifactError(
                f"{self.array_path(name + '_data')}: holds values that are not finite."
            )
        return ItemMatrix(
            indptr, indices, data, self.read_number(f"{name}_scale", minimum=SMALLEST_POSITIVE)
        )

    def read_array(self, name: str) -> npt.NDArray[Any]:
        """Return an array of any shape, or raise ArtifactError."""
        try:
            return self._arrays[name]
        except KeyError:
            raise ArtifactError(
                f"{self.array_path(name)}: the manifest lists no such array."
            ) from None


def find_positions(ids: Int32Array, wanted: Int32Array | Int64Array) -> Int64Array:
    """Where each of ``wanted`` stands in ascending ``ids``, -1 where it does not; (wanted,).

    >>> find_positions(np.array([3, 5, 9], np.int32), np.array([9, 4, 3])).tolist()
    [2, -1, 0]
    """
    if not len(ids):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[at] == wanted, at, -1).astype(np.int64)
