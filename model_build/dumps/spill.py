"""Sort a stream of entries by ranges of fans, on disk: what was read need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_build.dumps.rows import Block

PARTITION_FANS = 8192
HELD_ENTRIES = 2_000_000
ENTRY = np.dtype([("fan", "<i4"), ("anime", "<i4"), ("score", "u1"), ("status", "u1")])

Entries = npt.NDArray[np.void]
"""Of dtype `ENTRY`."""


class Spill:
    """Files in ``folder``, one for each range of `PARTITION_FANS` fans, entries in their order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[Entries] = []
        self._count = 0
        self._partitions: set[int] = set()

    def add(self, block: Block) -> None:
        """Take entries; they are on disk after `flush` at the latest."""
        entries = np.empty(len(block.fan), ENTRY)
        entries["fan"], entries["anime"] = block.fan, block.anime
        entries["score"], entries["status"] = block.score, block.status
        self._held.append(entries)
        self._count += len(entries)
        if self._count >= HELD_ENTRIES:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._count:
            return
        entries = np.concatenate(self._held)
        self._held, self._count = [], 0
        partition = entries["fan"] // PARTITION_FANS
        if (partition[1:] < partition[:-1]).any():
            order = np.argsort(partition, kind="stable")
            entries, partition = entries[order], partition[order]
        heads = np.flatnonzero(np.concatenate([[True], partition[1:] != partition[:-1]]))
        for first, last in zip(heads, [*heads[1:], len(entries)], strict=True):
            number = int(partition[first])
            self._partitions.add(number)
            with self._file(number).open("ab") as file:
                file.write(entries[first:last].data)

    def partitions(self) -> Iterator[int]:
        """The numbers of the ranges that hold entries, ascending."""
        return iter(sorted(self._partitions))

    def take(self, partition: int) -> Entries:
        """Read the entries of one range, in the order in which they came, and remove its file."""
        file = self._file(partition)
        entries = np.fromfile(file, ENTRY)
        file.unlink()
        return entries

    def _file(self, partition: int) -> Path:
        return self._folder / f"{partition:06}"
