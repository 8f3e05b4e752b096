"""Finished stages of a training on disk, so that one that was stopped can be resumed.

A stage is a few arrays. They are stored with a key of everything that they depend on; what was
stored for another key, or has changed since, is computed again. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.recommender.atomic_writes import replace_directory

CHECKPOINT_FORMAT = 3
"""To be raised when a stage computes something else from the same input."""
INDEX_FILE = "stage.json"

ArrayMapping = Mapping[str, npt.NDArray[Any]]


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
        self, name: str, settings: object, compute: Callable[[], ArrayMapping]
    ) -> ArrayMapping:
        """Load the arrays of a stage stored for the same inputs and settings, or compute them.

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
            return stored
        shutil.rmtree(folder, ignore_errors=True)  # frees its space
        computed = compute()
        try:
            _write_checkpoint(folder, key, computed)
        except OSError as error:
            self._log(f"{name}: cannot be kept for a later run ({error}); going on without")
        return computed

    def clear(self) -> None:
        """Remove all stages."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


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
