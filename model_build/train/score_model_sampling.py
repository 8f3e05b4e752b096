"""Which fans, and how many titles of each, a step of the Gaussian's training looks at."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

MAX_ENTRIES_PER_USER = 400


def subsample_users(user_scores: csr_array, max_users: int) -> csr_array:
    """At most ``most`` of the fans, evenly spread over all."""
    n_users = user_scores.shape[0]
    return (
        user_scores
        if n_users <= max_users
        else user_scores[np.arange(max_users) * n_users // max_users]
    )


def subsample_entries(user_scores: csr_array, rng: np.random.Generator) -> csr_array:
    """The same fans with at most `MOST_TITLES` entries each: a step costs their cube."""
    kept = [
        np.arange(first, last)
        if last - first <= MAX_ENTRIES_PER_USER
        else np.sort(rng.choice(np.arange(first, last), MAX_ENTRIES_PER_USER, replace=False))
        for first, last in pairwise(user_scores.indptr.tolist())
    ]
    start = np.concatenate([[0], np.cumsum([len(entries) for entries in kept], dtype=np.int64)])
    entries = np.concatenate([np.empty(0, np.int64), *kept])
    return csr_array(
        (user_scores.data[entries], user_scores.indices[entries], start), shape=user_scores.shape
    )
