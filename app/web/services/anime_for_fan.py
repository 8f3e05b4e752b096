"""Is this anime for this fan? The same numbers and reasons as on a page of recommendations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.catalogue import Anime
from app.lists.entry import AnimeList
from app.recommender import recommend
from app.schemas.recommendations import AnimeForFanResponse, RecommendationSchema
from app.web.requests.query import PlannedMode, QueryOptions
from app.web.services.library import Library
from app.web.services.recommendations import build_options, estimate_for
from app.web.services.user_lists import to_user_list


def judge_for_fan(
    library: Library, anime: Anime, position: int, anime_list: AnimeList, username: str
) -> AnimeForFanResponse:
    """Judge the anime at ``position`` of the model (-1: not in it) for the fan of a list."""
    wish = QueryOptions(planned=PlannedMode.YES, extras=True, adult=True)
    estimates = estimate_for(library, to_user_list(anime_list), wish)
    profile = estimates.profile
    rated = np.flatnonzero(profile.rated == position)
    is_seen = position >= 0 and bool(np.isin(position, profile.seen))
    item = None
    if position >= 0 and not is_seen:
        only = np.zeros(len(library.model), bool)
        only[position] = True
        options = replace(build_options(library, wish, ()), allowed_mask=only)
        found = recommend(library.model, estimates, options).recommendations
        if not found:  # of a series that was given up: what is asked for is answered all the same
            alone = replace(options, franchises=None)
            found = recommend(library.model, estimates, alone).recommendations
        item = found[0] if found else None
    return AnimeForFanResponse(
        model=library.model.version,
        source=anime_list.source,
        username=username,
        anime_id=anime.anime_id,
        title=anime.title,
        personal=len(profile.input_position) > 0,
        seen=is_seen,
        planned=position >= 0 and bool(np.isin(position, profile.planned)),
        own_score=float(profile.score[rated[0]]) if len(rated) else None,
        recommendation=None
        if item is None
        else RecommendationSchema.build(item, library.catalogue, source=anime_list.source),
    )
