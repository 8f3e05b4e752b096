"""Recommendations among what another site has: players and the like know anime by its numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np

from app.lists.entry import AnimeList
from app.observability.metrics import RECOMMEND_SECONDS, count_list_entries
from app.schemas.recommendations import RecommendationsResponse
from app.translation import gettext
from app.web.requests.query import QueryOptions
from app.web.services.library import Library
from app.web.services.recommendations import estimate_for, recommend_with_filters
from app.web.services.user_lists import to_user_list


class TvdbIdsUnknown(Exception):  # noqa: N818 -- it names the state, not a mistake
    """The catalogue that comes with the model has none."""

    def __str__(self) -> str:
        return gettext(
            "This Hakken’s data has no numbers of TVDB, by which Sonarr knows series: whoever runs "
            "it can add them."
        )


def recommend_on_site(
    library: Library,
    anime_list: AnimeList,
    options: QueryOptions,
    id_column: Literal["kitsu_id", "tvdb_id"],
) -> RecommendationsResponse:
    """Recommend only what the site has a number of, so that no place of a page is lost."""
    user_list = to_user_list(anime_list)
    with RECOMMEND_SECONDS.time():
        user = estimate_for(library, user_list, options)
        numbers = library.catalogue.column_values(id_column, library.model.anime_id.tolist())
        there = np.array([number is not None for number in numbers], bool)
        result, _ = recommend_with_filters(library, user, options, there)
    known = library.model.find_positions(user_list.anime_id) >= 0
    count_list_entries(known, anime_list.unmapped)
    return RecommendationsResponse.build(
        result, library.catalogue, title_language=options.title, site=anime_list.source
    )
