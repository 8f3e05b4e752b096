"""From a list and options to recommendations: the one path of pages and API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Literal, Self, TypeVar

import numpy as np

from app.lists.entry import AnimeList
from app.observability.metrics import RECOMMEND_SECONDS, count_list_entries
from app.recommender import (
    EngineName,
    ItemEstimates,
    RecommendationResult,
    RecommendOptions,
    UserList,
    UserProfile,
    estimate_items,
    recommend,
)
from app.recommender.array_types import BoolArray
from app.recommender.fold_in import fold_in
from app.schemas.recommendations import RecommendationsResponse
from app.translation import gettext
from app.web.requests.query import MAX_TOP, PlannedMode, QueryOptions
from app.web.requests.values import InvalidQuery
from app.web.services.filters import ActiveFilter, build_active_filters, build_hidden_mask
from app.web.services.library import Library
from app.web.services.taste_filters import build_taste_filters
from app.web.services.user_lists import to_user_list, with_seen_marks

ResultT = TypeVar("ResultT")

SURPRISES = 50
"""The best matches of which one is drawn by chance."""


@dataclass(frozen=True, slots=True)
class FilterRelaxation:
    """A filter, and how many titles there would be without it."""

    filter: ActiveFilter
    result_count: int


@dataclass(frozen=True, slots=True)
class FilteredResult(Generic[ResultT]):
    """What was found, and the filters that it went through.

    ``relaxations``, when nothing is left: the filters that alone let something in, best first.
    ``is_past_end``: there is something, but all of it stands before the ``offset``.
    """

    result: ResultT
    filters: list[ActiveFilter]
    relaxations: list[FilterRelaxation]
    is_past_end: bool

    def with_top(self, top: int) -> Self:
        """Copy it for a page that asks for so many: what takes a filter off says so."""

        def said(each: ActiveFilter) -> ActiveFilter:
            return replace(each, options_without=each.options_without.with_changes(top=top))

        return replace(
            self,
            filters=[said(each) for each in self.filters],
            relaxations=[replace(each, filter=said(each.filter)) for each in self.relaxations],
        )


@dataclass(frozen=True, slots=True)
class FilteredRecommendations(FilteredResult[RecommendationResult]):
    """Recommendations for one fan, and the estimates that they were made from."""

    estimates: ItemEstimates


def run_with_relaxations(
    run: Callable[[QueryOptions], tuple[ResultT, list[ActiveFilter]]],
    options: QueryOptions,
    count_results: Callable[[ResultT], int],
) -> FilteredResult[ResultT]:
    """Run a query, and if it finds nothing run it again without each of its filters.

    Unless filters are not to blame, but the ``offset``. Counts end at `MAX_TOP`.
    """
    found, filters = run(options)
    relaxations: list[FilterRelaxation] = []
    if count_results(found):
        return FilteredResult(found, filters, relaxations, is_past_end=False)
    if options.offset and count_results(run(options.with_changes(offset=0, top=1))[0]):
        return FilteredResult(found, filters, relaxations, is_past_end=True)
    for each in filters:
        options_without = each.options_without.with_changes(offset=0)
        without, _ = run(options_without.with_changes(top=MAX_TOP))
        if count := count_results(without):
            each = replace(each, options_without=options_without)
            relaxations.append(FilterRelaxation(each, count))
    relaxations.sort(key=lambda each: -each.result_count)
    return FilteredResult(found, filters, relaxations, is_past_end=False)


def recommend_and_record(
    library: Library,
    user_list: UserList,
    options: QueryOptions,
    unmapped: int = 0,
    allowed: BoolArray | None = None,
) -> FilteredRecommendations:
    """Recommend, and count the list's entries; ``unmapped`` titles of it have no anime id.

    ``allowed`` (n,) narrows the anime further than the options do.
    """
    with RECOMMEND_SECONDS.time():
        estimates = estimate_for(library, user_list, options)
        run = partial(recommend_with_filters, library, estimates, allowed=allowed)
        filtered = run_with_relaxations(run, options, lambda found: len(found.recommendations))
    count_list_entries(library.model.find_positions(user_list.anime_id) >= 0, unmapped)
    return FilteredRecommendations(
        filtered.result, filtered.filters, filtered.relaxations, filtered.is_past_end, estimates
    )


def draw_surprise(result: RecommendationResult, seed: int) -> RecommendationResult:
    """Keep one of the best recommendations, with its rank: the same one for the same seed.

    Seeds that follow one another name different ones, until all have had their turn.
    """
    best = result.recommendations[:SURPRISES]
    if not best:
        return result
    turn, place = divmod(seed, len(best))
    drawn = np.random.default_rng(turn).permutation(len(best))[place]
    return replace(result, recommendations=(best[drawn],))


def estimate_for(library: Library, user_list: UserList, options: QueryOptions) -> ItemEstimates:
    """Estimate every anime for a list, with what was marked as seen on the page."""
    return estimate_items(library.model, build_user_profile(library, user_list, options))


def recommend_with_filters(
    library: Library, user: ItemEstimates, options: QueryOptions, allowed: BoolArray | None = None
) -> tuple[RecommendationResult, list[ActiveFilter]]:
    """Recommend what the options let through; also the filters that they switched on.

    ``allowed`` (n,) narrows the anime further.
    """
    filters = active_filters_for(library, (user.profile,), options)
    chosen = build_options(library, options, filters)
    if allowed is not None:
        mask = chosen.allowed_mask
        chosen = replace(chosen, allowed_mask=allowed if mask is None else mask & allowed)
    return recommend(library.model, user, chosen), filters


def build_options(
    library: Library, query_options: QueryOptions, filters: Iterable[ActiveFilter]
) -> RecommendOptions:
    """Convert the options to the recommender's form.

    Raises InvalidQuery: the model does not have the engine.
    """
    engines = (EngineName.HAKKEN, *library.model.engines)
    if query_options.engine not in engines:
        raise InvalidQuery.not_one_of("engine", engines)
    return RecommendOptions(
        top_n=query_options.top,
        offset=query_options.offset,
        sort_order=query_options.order,
        engine=query_options.engine,
        include_planned=query_options.planned is not PlannedMode.NO,
        include_extras=query_options.extras,
        franchises=library.franchises,
        allowed_mask=build_allowed_mask(library, query_options, filters),
        min_score=query_options.min_score,
    )


def build_allowed_mask(
    library: Library, options: QueryOptions, filters: Iterable[ActiveFilter]
) -> BoolArray:
    """Where an anime may be shown, (n,) bool; adult anime only if asked for."""
    allowed = library.shown_mask(adult=options.adult)
    for each in filters:
        if each.mask is not None:
            allowed &= each.mask
    if options.hide:
        positions = library.model.find_positions(np.array(options.hide, np.int64))
        allowed &= ~build_hidden_mask(library.model, library.franchises, positions)
    return allowed


def active_filters_for(
    library: Library, users: Sequence[UserProfile], options: QueryOptions
) -> list[ActiveFilter]:
    """List the filters that are on for these users together; one who is a child is enough."""
    seen = np.concatenate([user.seen for user in users])
    planned = np.concatenate([user.planned for user in users])
    facets = library.attributes.facets
    for_children = any(
        facets.is_childrens_list(np.concatenate([user.seen, user.planned])) for user in users
    )
    filters = build_active_filters(
        library.attributes, seen, planned, options, for_children=for_children
    )
    return [*filters, *build_taste_filters(library, users, options)]


def build_user_profile(library: Library, user_list: UserList, options: QueryOptions) -> UserProfile:
    """Fold the list in, with what was marked as seen on the page.

    What is to be ignored says nothing, and is not recommended either.
    """
    user_list = with_seen_marks(user_list, options)
    fold = partial(fold_in, library.model, ignore_dropped=options.ignore_dropped)
    profile = fold(user_list)
    if not options.ignore:
        return profile
    heard = fold(user_list.without(options.ignore))
    return replace(heard, seen=profile.seen, planned=profile.planned)


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
    return RecommendationsResponse.build(result, library.catalogue, site=anime_list.source)
