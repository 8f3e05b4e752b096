"""What an entry says about whether an anime was liked, beside its score.

====================================  =========
completed (or unknown), above 5       liked
dropped, or scored 5 or less          not liked
everything else                       unknown
====================================  =========

A score without a status counts as completed: of the scored entries whose status is known, 98 % are.
Watching, on hold and planned say nothing yet.
"""

from __future__ import annotations

import numpy as np

from app.recommender.array_types import Float64Array, Int8Array
from app.recommender.watch_status import WatchStatus

LIKE_THRESHOLD = 5.0
FINISHED_STATUSES = (int(WatchStatus.UNKNOWN), int(WatchStatus.COMPLETED))


def like_labels(score: Float64Array, status: Int8Array) -> Int8Array:
    """1 for liked, 0 for not liked, -1 where the entry does not say, (entries,)."""
    finished = np.isin(status, FINISHED_STATUSES) & (score > 0)
    label = np.full(len(score), -1, np.int8)
    label[finished] = score[finished] > LIKE_THRESHOLD
    label[status == WatchStatus.DROPPED] = 0
    return label
