"""Number fans in the order in which they first appear. Names are forgotten with the object."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from app.recommender.array_types import Int32Array, Int64Array


class UserIdMap:
    """``first`` and what follows for fans known by a number or a name of the dump's own.

    Memory grows with the fans, not with their entries.
    """

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._user_id: dict[int | str, int] = {}

    def __len__(self) -> int:
        return len(self._user_id)

    def map_array(self, users: Int64Array) -> Int32Array:
        """The number of each, (n,)."""
        if not len(users):
            return np.empty(0, np.int32)
        # A fan's rows mostly stand together: look at one of each such run.
        heads = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]]))
        runs = np.diff(np.append(heads, len(users)))
        distinct, first, place = np.unique(users[heads], return_index=True, return_inverse=True)
        appeared = np.argsort(first)
        number = np.empty(len(distinct), np.int32)
        number[appeared] = self.map_keys(distinct[appeared].tolist())
        return np.repeat(number[place], runs)

    def map_keys(self, users: Iterable[int | str]) -> Int32Array:
        """The number of each of a few, in their order."""
        known, first = self._user_id, self._first
        return np.array([known.setdefault(fan, first + len(known)) for fan in users], np.int32)
