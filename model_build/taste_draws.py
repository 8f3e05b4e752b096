"""Which fans, and how many titles of each, a step of the Gaussian's training looks at."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

MOST_TITLES = 400


def evenly(fans: csr_array, most: int) -> csr_array:
    """At most ``most`` of the fans, evenly spread over all."""
    n_fans = fans.shape[0]
    return fans if n_fans <= most else fans[np.arange(most) * n_fans // most]


def shortened(fans: csr_array, rng: np.random.Generator) -> csr_array:
    """The same fans with at most `MOST_TITLES` entries each: a step costs their cube."""
    kept = [
        np.arange(first, last)
        if last - first <= MOST_TITLES
        else np.sort(rng.choice(np.arange(first, last), MOST_TITLES, replace=False))
        for first, last in pairwise(fans.indptr.tolist())
    ]
    start = np.concatenate([[0], np.cumsum([len(entries) for entries in kept], dtype=np.int64)])
    entries = np.concatenate([np.empty(0, np.int64), *kept])
    return csr_array((fans.data[entries], fans.indices[entries], start), shape=fans.shape)
