"""Sort a stream of entries by ranges of fans, on disk: what was read need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_build.data.dumps.csv_entries import EntryBlock

USERS_PER_PARTITION = 8192
BUFFERED_ENTRIES = 2_000_000
ENTRY_DTYPE = np.dtype([("fan", "<i4"), ("anime", "<i4"), ("score", "u1"), ("status", "u1")])

EntryArray = npt.NDArray[np.void]
"""Of dtype `ENTRY`."""


class ExternalSorter:
    """Files in ``folder``, one for each range of `PARTITION_FANS` fans, entries in their order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buffer: list[EntryArray] = []
        self._count = 0
        self._partitions: set[int] = set()

    def add(self, block: EntryBlock) -> None:
        """Take entries; they are on disk after `flush` at the latest."""
        entries = np.empty(len(block.user), ENTRY_DTYPE)
        entries["fan"], entries["anime"] = block.user, block.anime
        entries["score"], entries["status"] = block.score, block.status
        self._buffer.append(entries)
        self._count += len(entries)
        if self._count >= BUFFERED_ENTRIES:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._count:
            return
        entries = np.concatenate(self._buffer)
        self._buffer, self._count = [], 0
        partition = entries["fan"] // USERS_PER_PARTITION
        if (partition[1:] < partition[:-1]).any():
            order = np.argsort(partition, kind="stable")
            entries, partition = entries[order], partition[order]
        heads = np.flatnonzero(np.concatenate([[True], partition[1:] != partition[:-1]]))
        for first, last in zip(heads, [*heads[1:], len(entries)], strict=True):
            number = int(partition[first])
            self._partitions.add(number)
            with self._partition_file(number).open("ab") as file:
                file.write(entries[first:last].data)

    def partitions(self) -> Iterator[int]:
        """The numbers of the ranges that hold entries, ascending."""
        return iter(sorted(self._partitions))

    def pop_partition(self, partition: int) -> EntryArray:
        """Read the entries of one range, in the order in which they came, and remove its file."""
        file = self._partition_file(partition)
        entries = np.fromfile(file, ENTRY_DTYPE)
        file.unlink()
        return entries

    def _partition_file(self, partition: int) -> Path:
        return self._folder / f"{partition:06}"
