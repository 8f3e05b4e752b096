"""Is this anime for this fan? The same numbers and reasons as on a page of recommendations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from app.lists.entry import AnimeList
from app.recommender import RecommendedItem, recommend
from app.web.requests.query import PlannedMode, QueryOptions
from app.web.services.library import Library
from app.web.services.recommendations import build_options, estimate_for
from app.web.services.user_lists import to_user_list


@dataclass(frozen=True, slots=True)
class AnimeForFan:
    """What a fan would make of an anime; ``item`` is None for what was seen or is not known."""

    is_personalized: bool
    is_seen: bool
    is_planned: bool
    own_score: float | None
    item: RecommendedItem | None


def judge_for_fan(library: Library, anime_list: AnimeList, position: int) -> AnimeForFan:
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
    return AnimeForFan(
        is_personalized=len(profile.input_position) > 0,
        is_seen=is_seen,
        is_planned=position >= 0 and bool(np.isin(position, profile.planned)),
        own_score=float(profile.score[rated[0]]) if len(rated) else None,
        item=item,
    )
