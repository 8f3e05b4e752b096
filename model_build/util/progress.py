"""How far a long computation has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

ProgressCallback = Callable[[str, int, int], None]
"""Called with a step, how much of it is done, and of how much."""


def no_progress(_step: str, _done: int, _of: int) -> None:
    """Show nothing."""


@contextmanager
def progress_bars(*, shown: bool | None = None) -> Iterator[ProgressCallback]:
    """Show a bar on standard error for each step, until the step is done.

    None: if that is a terminal.
    """
    bars: dict[str, tqdm[None]] = {}

    def update(step: str, done: int, of: int) -> None:
        if step not in bars:
            bars[step] = tqdm(total=of, desc=step, disable=None if shown is None else not shown)
        bars[step].update(done - bars[step].n)
        if done >= of:
            bars[step].close()

    yield update
    for bar in bars.values():
        bar.close()
