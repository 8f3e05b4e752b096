"""Number fans in the order in which they first appear. Names are forgotten with the object."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int32]


class FanNumbers:
    """``first`` and what follows for fans known by a number or a name of the dump's own.

    Memory grows with the fans, not with their entries.
    """

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._number: dict[int | str, int] = {}

    def __len__(self) -> int:
        return len(self._number)

    def of_numbers(self, fans: npt.NDArray[np.int64]) -> Numbers:
        """The number of each, (n,)."""
        if not len(fans):
            return np.empty(0, np.int32)
        # A fan's rows mostly stand together: look at one of each such run.
        heads = np.flatnonzero(np.concatenate([[True], fans[1:] != fans[:-1]]))
        runs = np.diff(np.append(heads, len(fans)))
        distinct, first, place = np.unique(fans[heads], return_index=True, return_inverse=True)
        appeared = np.argsort(first)
        number = np.empty(len(distinct), np.int32)
        number[appeared] = self.of_names(distinct[appeared].tolist())
        return np.repeat(number[place], runs)

    def of_names(self, fans: Iterable[int | str]) -> Numbers:
        """The number of each of a few, in their order."""
        known, first = self._number, self._first
        return np.array([known.setdefault(fan, first + len(known)) for fan in fans], np.int32)
