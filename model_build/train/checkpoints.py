"""What a training has finished so far, kept on disk, so that one that was stopped goes on there.

A stage is a few arrays. They are kept with a key of everything that they depend on; what was kept
for another key, or has changed since, is made again. Nothing is pickled.
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

CHECKPOINT_FORMAT = 2
"""To be raised when a stage computes something else from the same input."""
INDEX_FILE = "stage.json"

ArrayMapping = Mapping[str, npt.NDArray[Any]]


class CheckpointStore:
    """Stages in ``folder``, each in a folder of its own, of a training on ``inputs``.

    With None for a folder nothing is kept. ``say`` is told what was found and what went wrong.
    """

    def __init__(
        self, folder: Path | None, inputs: str = "", log: Callable[[str], None] | None = None
    ) -> None:
        self._folder = folder
        self._inputs = inputs
        self._say = log or (lambda words: print(words, file=sys.stderr))

    def load_or_compute(
        self, name: str, settings: object, compute: Callable[[], ArrayMapping]
    ) -> ArrayMapping:
        """The arrays of a stage: those kept for the same inputs and settings, or new ones.

        A disk that is full does not stop a training: then the stage is just not kept.
        """
        if self._folder is None:
            return compute()
        key = hashlib.sha256(
            f"{CHECKPOINT_FORMAT} {self._inputs} {name} {settings!r}".encode()
        ).hexdigest()
        place = self._folder / name
        kept = _read_checkpoint(place, key)
        if kept is not None:
            self._say(f"{name}: finished before, taken from {place}")
            return kept
        shutil.rmtree(place, ignore_errors=True)  # its room is wanted
        made = compute()
        try:
            _write_checkpoint(place, key, made)
        except OSError as error:
            self._say(f"{name}: cannot be kept for a later run ({error}); going on without")
        return made

    def clear(self) -> None:
        """Remove all that was kept."""
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
    """What was kept for the key, whole and unchanged, or None."""
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
