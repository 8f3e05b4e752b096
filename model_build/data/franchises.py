"""Infers the franchises of anime from lists of related anime."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MAX_FRANCHISE_SIZE = 60
"""Larger groups come from crossovers, not from one series."""


def infer_franchises(
    ids: Sequence[int], franchise: Sequence[int | None], related: Sequence[Iterable[int] | None]
) -> list[int | None]:
    """Return the franchise of each anime; one without gets that of its relatives.

    Relatives are followed through anime without a franchise. If these lead to several franchises,
    or are more than `MAX_FRANCHISE_SIZE`, nothing changes. Relatives without any franchise become
    a new one.
    """
    index = {anime_id: at for at, anime_id in enumerate(ids)}
    pairs = [
        (at, index[other])
        for at, others in enumerate(related)
        for other in others or ()
        if other in index
    ]
    without = [each is None for each in franchise]
    between = [(a, b) for a, b in pairs if without[a] and without[b]]
    group, size = _connected_groups(between, len(ids))
    led_to: dict[int, set[int]] = {}
    for pair in pairs:
        for one, other in (pair, pair[::-1]):
            found = franchise[other]
            if without[one] and found is not None:
                led_to.setdefault(int(group[one]), set()).add(found)
    unused = max((each for each in franchise if each is not None), default=0)
    first = np.full(len(ids), -1)  # of each group, the anime that names it
    joined = list(franchise)
    for at in np.flatnonzero(without):
        label = group[at]
        if first[label] < 0:
            first[label] = at
        known = led_to.get(int(label), set())
        if size[label] <= MAX_FRANCHISE_SIZE and len(known) <= 1 and (known or size[label] > 1):
            joined[at] = next(iter(known), unused + ids[first[label]])
    return joined


def _connected_groups(
    pairs: Sequence[tuple[int, int]], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the connected group of each of ``count`` anime, and the sizes of the groups."""
    row, column = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(row)), (row, column)), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    return label, np.bincount(label)
