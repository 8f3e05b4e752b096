"""How a server's processes keep their memory small and shared."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""From malloc.h of glibc."""
MAX_ARENAS = 2
TRIM_THRESHOLD_BYTES = 512 * 1024


def tune_malloc() -> None:
    """Have glibc give back what requests needed; another C library is left as it is.

    It makes up to eight heaps a processor for threads, and the larger the arrays that were freed,
    the more it keeps for the next one: a worker would hold what its longest lists once took.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, MAX_ARENAS)
        mallopt(M_MMAP_THRESHOLD, TRIM_THRESHOLD_BYTES)
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)


@contextmanager
def pause_gc() -> Iterator[None]:
    """Look for no garbage while much is made that stays: that costs a fifth of a start."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def freeze_gc(*, collect: bool) -> None:
    """Before forking: what is there now is no garbage, and will not be looked at again.

    A collection writes to every object that it looks at, so that workers would each get their own
    copy of what they share. There is none before, either: of 300,000 objects a start leaves one in
    a hundred, and looking for these takes a tenth of a second; only with ``collect``, for a start
    that leaves more.
    """
    if collect:
        gc.collect()
    gc.freeze()
    gc.enable()
