"""Centres of clusters of the users that an engine was fitted to, in place of the users.

A model that has them finds fans alike without holding any: a centre stands for at least
`MIN_CENTRE_USERS`, and tells only what several of them loved.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.training_users import MAX_LOVED_ITEMS, MIN_CENTRE_LOVERS, MIN_CENTRE_USERS
from model_build.util.errors import InputError

USERS_A_CENTRE = 2 * MIN_CENTRE_USERS
"""On average, before small clusters are dissolved."""
MAX_TOLD_ITEMS = 4 * MAX_LOVED_ITEMS
"""Loved anime that a centre tells, those of most of its users first."""
MAX_CENTRES = 400


def user_centre_arrays(
    users: dict[str, npt.NDArray[Any]], *, seed: int = 0
) -> dict[str, npt.NDArray[Any]]:
    """Cluster what `training_user_arrays` gives.

    By k-means over the vectors; clusters of fewer than `MIN_CENTRE_USERS` are dissolved, the
    smallest first, and their users go to the nearest of the others.

    Returns
    -------
    dict
        ``user_centres_embedding`` (c, d) float32, rows of length 1; ``user_centres_size`` (c,)
        int32; in CSR form by ``user_centres_indptr``, ``user_centres_indices`` int32, positions of
        loved anime, and ``user_centres_lovers`` int32, how many loved each.

    Raises
    ------
    InputError
        There are fewer than `MIN_CENTRE_USERS` users.
    """
    vectors = users["training_users_embedding"]
    if len(vectors) < MIN_CENTRE_USERS:
        raise InputError(
            f"--with-centres: a centre stands for at least {MIN_CENTRE_USERS} fans who loved "
            f"something, and there are {len(vectors)}."
        )
    labels = _cluster(vectors.astype(np.float64), seed)
    indptr, indices = users["training_users_indptr"], users["training_users_indices"]
    label_of_loved = np.repeat(labels, np.diff(indptr))
    centres, loved, lovers = [], [], []
    for label in range(labels.max() + 1):
        centres.append(_unit(vectors[labels == label].astype(np.float64).mean(axis=0)))
        count = np.bincount(indices[label_of_loved == label])
        told = np.argsort(-count, kind="stable")[:MAX_TOLD_ITEMS]
        told = told[count[told] >= MIN_CENTRE_LOVERS]
        loved.append(told.astype(np.int32))
        lovers.append(count[told].astype(np.int32))
    return {
        "user_centres_embedding": np.stack(centres).astype(np.float32),
        "user_centres_size": np.bincount(labels).astype(np.int32),
        "user_centres_indptr": np.cumsum([0, *map(len, loved)], dtype=np.int64),
        "user_centres_indices": np.concatenate(loved),
        "user_centres_lovers": np.concatenate(lovers),
    }


def _cluster(vectors: Float64Array, seed: int) -> Int64Array:
    """Return the cluster of each user, (users,), numbered from 0."""
    from sklearn.cluster import KMeans  # late: it takes a second to import

    n_clusters = min(MAX_CENTRES, max(1, len(vectors) // USERS_A_CENTRE))
    with threadpool_limits(1):  # sums in one order: the same centres on every machine
        found = KMeans(n_clusters, n_init=3, random_state=seed).fit(vectors)
    labels = found.labels_.astype(np.int64)
    centres = np.stack([_unit(row) for row in found.cluster_centers_])
    while True:
        size = np.bincount(labels, minlength=n_clusters)
        small = np.flatnonzero((size > 0) & (size < MIN_CENTRE_USERS))
        if not len(small):
            return np.unique(labels, return_inverse=True)[1].astype(np.int64)
        smallest = small[np.argmin(size[small])]
        homeless = np.flatnonzero(labels == smallest)
        cosine = vectors[homeless] @ centres.T
        cosine[:, (size == 0) | (np.arange(n_clusters) == smallest)] = -np.inf
        labels[homeless] = cosine.argmax(axis=1)


def _unit(vector: npt.NDArray[Any]) -> Float64Array:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector)
