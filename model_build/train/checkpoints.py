"""Finished stages of a training on disk, so that one that was stopped can be resumed.

A stage is a dataclass or a named tuple of arrays, sparse matrices and numbers. It is stored with a
key of everything that it depends on; what was stored for another key, or has changed since, is
computed again. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from app.recommender.atomic_writes import replace_directory

CHECKPOINT_FORMAT = 4
"""To be raised when a stage computes something else from the same input."""
INDEX_FILE = "stage.json"

ArrayMapping = Mapping[str, npt.NDArray[Any]]
StageT = TypeVar("StageT")
CSR_PARTS = ("data", "indices", "indptr", "shape")


class CheckpointStore:
    """Stages in ``folder``, each in a folder of its own, of a training on ``inputs``.

    With None for a folder nothing is stored. ``log`` receives what was found and what went wrong.
    """

    def __init__(
        self, folder: Path | None, inputs: str = "", log: Callable[[str], None] | None = None
    ) -> None:
        self._folder = folder
        self._inputs = inputs
        self._log = log or (lambda text: print(text, file=sys.stderr))

    def load_or_compute(
        self,
        name: str,
        settings: object,
        compute: Callable[[], StageT],
        kind: Any = dict[str, npt.NDArray[Any]],
    ) -> StageT:
        """Load a stage, of this ``kind``, stored for the same inputs and settings, or compute it.

        A disk that is full does not stop a training: then the stage is just not stored.
        """
        if self._folder is None:
            return compute()
        key = hashlib.sha256(
            f"{CHECKPOINT_FORMAT} {self._inputs} {name} {settings!r}".encode()
        ).hexdigest()
        folder = self._folder / name
        stored = _read_checkpoint(folder, key)
        if stored is not None:
            self._log(f"{name}: finished before, taken from {folder}")
            return cast("StageT", rebuild(kind, stored))
        shutil.rmtree(folder, ignore_errors=True)  # frees its space
        computed = compute()
        try:
            _write_checkpoint(folder, key, flatten(computed))
        except OSError as error:
            self._log(f"{name}: cannot be kept for a later run ({error}); going on without")
        return computed

    def clear(self) -> None:
        """Remove all stages."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def flatten(value: Any, name: str = "") -> dict[str, npt.NDArray[Any]]:
    """Return the arrays, by dotted names, from which `rebuild` makes the same value."""
    if isinstance(value, csr_array):
        parts = {part: getattr(value, part) for part in CSR_PARTS}
    elif is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, dict):
        parts = value
    elif hasattr(value, "_asdict"):
        parts = value._asdict()
    else:
        return {name: np.asarray(value)}
    found: dict[str, npt.NDArray[Any]] = {}
    for part, inner in parts.items():
        found |= flatten(inner, f"{name}.{part}" if name else part)
    return found


def rebuild(kind: Any, arrays: ArrayMapping) -> Any:
    """Invert `flatten`, for a value of this type."""
    if "" in arrays:
        return kind(arrays[""]) if kind in (int, float) else arrays[""]
    parts: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for name, array in arrays.items():
        part, _, inner = name.partition(".")
        parts.setdefault(part, {})[inner] = array
    if kind is csr_array:
        data, indices, indptr, shape = (parts[part][""] for part in CSR_PARTS)
        return csr_array((data, indices, indptr), shape=tuple(shape))
    if get_origin(kind) is dict:
        return {part: rebuild(get_args(kind)[1], inner) for part, inner in parts.items()}
    hints = get_type_hints(kind)
    return kind(**{part: rebuild(hint, parts.get(part, {})) for part, hint in hints.items()})


def _write_checkpoint(folder: Path, key: str, arrays: ArrayMapping) -> None:
    # Not synced: a digest tells what a crash of the machine left unwritten, and to wait for
    # gigabytes would cost more than making them again.
    with replace_directory(folder) as new:
        files = {}
        for name, array in arrays.items():
            np.save(new / f"{name}.npy", array, allow_pickle=False)
            files[name] = _array_digest(array)
        (new / INDEX_FILE).write_text(json.dumps({"key": key, "files": files}), "utf-8")


def _read_checkpoint(folder: Path, key: str) -> ArrayMapping | None:
    """Read what was stored for the key, whole and unchanged, or None."""
    try:
        index = json.loads((folder / INDEX_FILE).read_text("utf-8"))
        if index["key"] != key:
            return None
        arrays = {
            name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in index["files"]
        }
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    whole = all(_array_digest(array) == index["files"][name] for name, array in arrays.items())
    return arrays if whole else None


def _array_digest(array: npt.NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
