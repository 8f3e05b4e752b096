"""The features that trees look at, by name: those of the second stage, and of scores."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from app.recommender.reranking.content_features import WORD_KINDS


class FeatureGroup(StrEnum):
    """What a feature is about, as reasons tell it."""

    FRANCHISE = "franchise"
    AFFINITY = "affinity"
    SCORE = "score"
    FIT = "fit"
    LENGTH = "length"
    AGE = "age"
    POPULARITY = "popularity"
    USER = "user"


_G = FeatureGroup
FEATURES: dict[str, FeatureGroup] = {
    "affinity": _G.AFFINITY,
    "affinity_unlifted": _G.AFFINITY,
    "affinity_rank": _G.AFFINITY,
    "affinity_z": _G.AFFINITY,
    "affinity_over_tenth": _G.AFFINITY,
    "affinity_prior": _G.AFFINITY,
    "full_sum": _G.AFFINITY,
    "short_sum": _G.AFFINITY,
    "largest_term": _G.AFFINITY,
    "three_largest_terms": _G.AFFINITY,
    "positive_sum": _G.AFFINITY,
    "negative_sum": _G.AFFINITY,
    "other_franchises_sum": _G.AFFINITY,
    "largest_is_own_franchise": _G.FRANCHISE,
    "residual_of_largest": _G.AFFINITY,
    "largest_share": _G.AFFINITY,
    "franchise_seen": _G.FRANCHISE,
    "franchise_scored": _G.FRANCHISE,
    "franchise_mean_residual": _G.FRANCHISE,
    "franchise_best_residual": _G.FRANCHISE,
    "franchise_worst_residual": _G.FRANCHISE,
    "franchise_dropped": _G.FRANCHISE,
    "franchise_planned": _G.FRANCHISE,
    "franchise_seen_before": _G.FRANCHISE,
    "franchise_unseen_before": _G.FRANCHISE,
    "franchise_seen_after": _G.FRANCHISE,
    "franchise_seen_share": _G.FRANCHISE,
    "lists_over_most_listed_seen": _G.FRANCHISE,
    "lists_over_least_listed_seen": _G.FRANCHISE,
    "lists_over_last_seen": _G.FRANCHISE,
    "rank_in_franchise": _G.FRANCHISE,
    "franchise_size": _G.FRANCHISE,
    "residual_of_last_seen": _G.FRANCHISE,
    "prequel_state": _G.FRANCHISE,
    "prequel_residual": _G.FRANCHISE,
    "has_prequel": _G.FRANCHISE,
    "is_extra": _G.FRANCHISE,
    "is_version": _G.FRANCHISE,
    "predicted_score": _G.SCORE,
    "predicted_residual": _G.SCORE,
    "knn_term": _G.SCORE,
    "gaussian_term": _G.SCORE,
    "item_bias": _G.SCORE,
    "score_over_mean": _G.SCORE,
    **{f"{kind}_{what}": _G.FIT for kind in WORD_KINDS for what in ("liking", "share")},
    "type_share": _G.FIT,
    "type_liking": _G.FIT,
    "media_type": _G.LENGTH,
    "log_episodes": _G.LENGTH,
    "episodes_over_usual": _G.LENGTH,
    "log_lists": _G.POPULARITY,
    "log_members": _G.POPULARITY,
    "lists_over_members": _G.POPULARITY,
    "lists_over_usual": _G.POPULARITY,
    "scored_share": _G.POPULARITY,
    "relevance_of_listed": _G.SCORE,
    "year_before_newest": _G.AGE,
    "year_over_median": _G.AGE,
    "years_ago": _G.AGE,
    "lift": _G.AGE,
    "near_years_share": _G.AGE,
    "log_entries": _G.USER,
    "log_scores": _G.USER,
    "mean_score": _G.USER,
    "score_spread": _G.USER,
    "high_share": _G.USER,
    "unscored_share": _G.USER,
    "dropped_share": _G.USER,
    "planned_share": _G.USER,
    "mean_log_lists": _G.USER,
    "sequel_share": _G.USER,
    "newest_year_ago": _G.USER,
}
"""Features by name, in the order of the columns, and what they are about."""
TOLD_GROUPS = tuple(g for g in FeatureGroup if g not in (_G.AFFINITY, _G.USER))
"""The affinity tells its reasons itself, and the user is the same for all anime."""
TOLD_GROUP_OF_FEATURE = np.array(
    [TOLD_GROUPS.index(group) if group in TOLD_GROUPS else -1 for group in FEATURES.values()]
)
"""The group of each column, by its number; -1 for what is not told."""
CORRECTION_FEATURES = (
    "predicted_score",
    "knn_term",
    "gaussian_term",
    "knn_support",
    "affinity",
    "affinity_rank",
    "item_bias",
    "noise_variance",
    "listed_share",
    "rated_share",
    "ratings_over_lists",
    "user_bias",
    "user_std",
    "entries",
    "scored_share",
    "share_of_tens",
)
"""What `app.recommender.score_correction` looks at, in the order of the columns."""
