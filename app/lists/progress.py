"""How far reading a list has come, reported while it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """``page`` (from 1) is being asked for, and ``entries`` titles came with those before it.

    ``queued``: somebody else is reading from the same place, and is waited for.
    """

    page: int = 1
    entries: int = 0
    queued: bool = False


ListProgressCallback = Callable[[FetchProgress], None]
"""Called in the thread that reads; must return at once."""


def ignore_progress(_progress: FetchProgress) -> None:
    """For those who do not want to know."""
