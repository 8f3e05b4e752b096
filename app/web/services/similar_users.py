"""The users most like one, of those that one of the model's engines was fitted to."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from app.lists.entry import AnimeList
from app.recommender import EngineName
from app.recommender.recommend import estimate_items
from app.recommender.user_neighbours import UserNeighbours, find_user_neighbours
from app.translation import gettext
from app.web.requests.query import Preference, QueryOptions, SimilarUsersOptions
from app.web.requests.values import InvalidQuery
from app.web.services.filters import ActiveFilter
from app.web.services.library import Library
from app.web.services.recommendations import (
    FilteredResult,
    active_filters_for,
    build_allowed_mask,
    build_user_profile,
    run_with_relaxations,
)
from app.web.services.user_lists import to_user_list


def find_similar_users(
    library: Library, anime_list: AnimeList, options: QueryOptions
) -> FilteredResult[UserNeighbours]:
    """Find the nearest users, and what they loved that the options let through."""
    run = partial(_find_similar_users, library, anime_list)
    return run_with_relaxations(run, options, lambda found: len(found.favourites))


def _find_similar_users(
    library: Library, anime_list: AnimeList, options: QueryOptions
) -> tuple[UserNeighbours, list[ActiveFilter]]:
    engine = resolve_engine(library, options)
    user = build_user_profile(library, to_user_list(anime_list), options)
    filters = active_filters_for(library, (user,), options)
    allowed = build_allowed_mask(library, options, filters)
    if options.min_score is not None:
        at = np.flatnonzero(allowed)
        expected = estimate_items(library.model, user).expected_scores(at)
        allowed[at] = expected >= options.min_score
    facets = library.attributes.facets
    words = {Preference.GENRES: facets.genre, Preference.SOURCES: facets.material}
    prefer = options.prefer if isinstance(options, SimilarUsersOptions) else ()
    found = find_user_neighbours(
        library.model,
        engine,
        user,
        count=options.offset + options.top,
        allowed=allowed,
        preferred=[words[kind] for kind in prefer],
    )
    return replace(found, favourites=found.favourites[options.offset :]), filters


def resolve_engine(library: Library, options: QueryOptions) -> EngineName:
    """Find the engine asked for, or the first that has its training users.

    Raises InvalidQuery: the one asked for has none, or none has.
    """
    engines = list(library.model.training_users)
    if not engines:
        raise InvalidQuery("engine", gettext("This Hakken keeps no fans to compare with."))
    if options.engine is EngineName.HAKKEN:
        return EngineName(engines[0])
    if options.engine not in engines:
        raise InvalidQuery.not_one_of("engine", engines)
    return options.engine
