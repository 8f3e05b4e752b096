"""Recommendations among what Kitsu has: players know anime by its numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.observability.metrics import RECOMMEND_SECONDS, count_list_entries
from app.recommender import RecommendationResult, UserList, recommend
from app.web.requests.query import QueryOptions
from app.web.services.library import Library
from app.web.services.recommendations import active_filters_for, build_options, estimate_for


def recommend_on_kitsu(
    library: Library, user_list: UserList, options: QueryOptions, unmapped: int = 0
) -> RecommendationResult:
    """Recommend only what has a number on Kitsu, so that no place of a page is lost."""
    with RECOMMEND_SECONDS.time():
        user = estimate_for(library, user_list, options)
        filters = active_filters_for(library, (user.profile,), options)
        chosen = build_options(library, options, filters)
        numbers = library.catalogue.column_values("kitsu_id", library.model.anime_id.tolist())
        there = np.array([number is not None for number in numbers], bool)
        allowed = there if chosen.allowed_mask is None else chosen.allowed_mask & there
        result = recommend(library.model, user, replace(chosen, allowed_mask=allowed))
    count_list_entries(library.model.find_positions(user_list.anime_id) >= 0, unmapped)
    return result
