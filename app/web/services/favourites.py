"""What a fan loves most of what is on the list."""

from __future__ import annotations

import numpy as np

from app.recommender import UserProfile
from app.web.services.library import Library

LOWEST_LOVED = 6.0
"""What is scored below is loved by nobody."""


def find_loved(library: Library, profile: UserProfile, count: int) -> list[tuple[int, float]]:
    """Return ids and scores of what is loved most, one of a series and nothing for adults.

    What the fan calls favourites comes first, then what has the highest scores; among equal ones
    what the fan thinks more of than others do.
    """
    known = profile.known_entries
    is_favourite = np.isin(profile.rated, known.position[known.favourite])
    loved = profile.score >= max(LOWEST_LOVED, profile.least_liked_score)
    loved &= library.shown_mask(adult=False)[profile.rated]
    order = np.lexsort((profile.rated, -profile.residual, -profile.score, ~is_favourite))
    series = library.franchises.series_numbers()[profile.rated]
    found: dict[int, tuple[int, float]] = {}
    for at in order[loved[order]].tolist():
        anime_id = int(library.model.anime_id[profile.rated[at]])
        found.setdefault(int(series[at]), (anime_id, float(profile.score[at])))
        if len(found) == count:
            break
    return list(found.values())
