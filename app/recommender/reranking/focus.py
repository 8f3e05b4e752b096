"""How far a list of a few titles is of one taste, as who picks them by hand means it to be.

Whoever names three films of one studio asks for more of these; three titles drawn from what
somebody has seen say that this is somebody like everybody. What tells them apart is what the
titles have in common (genres, tags, studios, source material) that few others have.
"""

from __future__ import annotations

import numpy as np

from app.recommender.affinity import short_history_share
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.fold_in import UserProfile
from app.recommender.model import Model
from app.recommender.reranking.content_features import ContentFeatures

N_WORDS = 5
"""Words that count: one alone may be a coincidence, and taste has several names."""
TOO_FEW_TO_TELL = 2
"""Of so many titles nothing can be told; they are taken for what is meant."""


def focus_weight(model: Model, items: ContentFeatures, profile: UserProfile) -> float:
    """Return how far a list is short and of one taste, from 0 to 1.

    That is how far it counts as short, times where the `common_evidence` of its titles lies between
    ``unfocused_evidence`` and ``focused_evidence``. What weighs less than an entry without a score
    was not liked, and is no taste.
    """
    own = model.parameters
    share = short_history_share(model, profile)
    if not own.short_history_popularity or share <= own.min_matrix_weight:
        return 0.0
    liked = not_disliked(model, profile)
    if not len(liked):
        return 0.0
    if len(profile.input_position) <= TOO_FEW_TO_TELL:
        return share
    evidence = common_evidence(items, liked)
    within = own.focused_evidence - own.unfocused_evidence
    return share * float(np.clip((evidence - own.unfocused_evidence) / within, 0.0, 1.0))


def not_disliked(model: Model, profile: UserProfile) -> Int64Array:
    """Return positions (k,) of what weighs as much as an entry without a score, or more."""
    return profile.input_position[profile.input_weight >= model.input_weights.unscored]


def common_evidence(items: ContentFeatures, positions: Int64Array) -> float:
    """Return how surprising it is what anime (k,) have in common, in nats.

    For each word, that is the log-likelihood ratio of it being on so many of them against being on
    as many as on all lists' entries (Dunning 1993, the half of G squared); those of the
    `N_WORDS` words for which it is largest are added up.
    """
    n = len(positions)
    words = [
        items.word_indices[items.word_indptr[at] : items.word_indptr[at + 1]]
        for at in positions.tolist()
    ]
    usual = items.word_shares
    count = np.bincount(np.concatenate(words), minlength=len(usual)).astype(np.float64)
    ratio = _times_log_ratio(count, n * usual) + _times_log_ratio(n - count, n * (1.0 - usual))
    return float(np.sort(np.where(count > n * usual, ratio, 0.0))[-N_WORDS:].sum())


def _times_log_ratio(count: Float64Array, expected: Float64Array) -> Float64Array:
    """``count`` ln(``count`` / ``expected``), 0 where there is nothing to count; (w,)."""
    ratio = np.divide(count, expected, out=np.ones_like(count), where=(count > 0) & (expected > 0))
    return count * np.log(ratio)
