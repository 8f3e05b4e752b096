"""Where workers count together: files in memory that never take a worker down.

prometheus_client maps files that have no blocks yet. Where the folder's file system is full, the
first count in such a page kills the worker (SIGBUS), and every worker after it. So blocks are
reserved first; where there are none, the process counts in memory of its own, and says so once.
"""

from __future__ import annotations

import logging
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import mmap_dict, values

log = logging.getLogger(__name__)

_FIRST_BYTES = 1 << 16


class ReservedDict(mmap_dict.MmapedDict):
    """Counts in a file of which every byte is there, or else in memory."""

    _f: Any
    _m: mmap.mmap
    _capacity: int
    _used: int

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode and not _reserve(filename, _FIRST_BYTES):
            self._fname, self._f, self._positions = filename, None, {}
            self._count_in_memory(_FIRST_BYTES, b"")
            self._used = 8
            mmap_dict._pack_integer(self._m, 0, self._used)  # type: ignore[no-untyped-call]
            return
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        needed = self._used + len(key.encode()) + 32
        if needed > self._capacity and not (self._f and _reserve(self._fname, 2 * self._capacity)):
            self._count_in_memory(2 * max(needed, self._capacity), self._m[: self._used])
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _count_in_memory(self, size: int, content: bytes) -> None:
        if self._f is not None:
            self._f.close()
            self._f = None
        self._capacity, self._m = size, mmap.mmap(-1, size)
        self._m[: len(content)] = content

    def close(self) -> None:
        """Let go of the file."""
        self._m.close()
        if self._f is not None:
            self._f.close()
            self._f = None


def install_reserved_files() -> None:
    """Have prometheus_client count in such files from now on."""
    setattr(values, "MmapedDict", ReservedDict)  # noqa: B010 -- a name that it does not export


def _reserve(filename: str, size: int) -> bool:
    """Give a file blocks for its first ``size`` bytes; False where there are none."""
    try:
        descriptor = os.open(filename, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        with suppress(OSError):
            if not Path(filename).stat().st_size:  # nobody could read it
                Path(filename).unlink()
        if not _warned:
            _warned.append(filename)
            log.warning(
                "metrics: a process counts by itself from now on, its numbers are missing from "
                "/metrics (%s); make room in the folder of metrics and start again",
                error.strerror,
            )
        return False
    return True


_warned: list[str] = []
