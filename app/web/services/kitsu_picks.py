"""Recommendations among what Kitsu has: players know anime by its numbers."""

from __future__ import annotations

import numpy as np

from app.observability.metrics import RECOMMEND_SECONDS, count_list_entries
from app.recommender import RecommendationResult, UserList
from app.web.requests.query import QueryOptions
from app.web.services.library import Library
from app.web.services.recommendations import estimate_for, recommend_with_filters


def recommend_on_kitsu(
    library: Library, user_list: UserList, options: QueryOptions, unmapped: int = 0
) -> RecommendationResult:
    """Recommend only what has a number on Kitsu, so that no place of a page is lost."""
    with RECOMMEND_SECONDS.time():
        user = estimate_for(library, user_list, options)
        numbers = library.catalogue.column_values("kitsu_id", library.model.anime_id.tolist())
        there = np.array([number is not None for number in numbers], bool)
        result, _ = recommend_with_filters(library, user, options, there)
    count_list_entries(library.model.find_positions(user_list.anime_id) >= 0, unmapped)
    return result
