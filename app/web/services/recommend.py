"""From a source and a name, or a list, to an answer: the one path of pages and API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from app.lists import ListSource
from app.lists.entry import AnimeList
from app.lists.errors import BadUsername, EmptyList
from app.lists.progress import ListProgressCallback, ignore_progress
from app.observability.metrics import LIST_FETCH_SECONDS, RECOMMEND_SECONDS, count_list_entries
from app.recommender import (
    EngineName,
    RecommendationResult,
    RecommendOptions,
    UserList,
    UserProfile,
    WatchStatus,
    recommend,
)
from app.recommender.array_types import BoolArray
from app.recommender.fold_in import fold_in
from app.web.requests.query import MAX_TOP, InvalidQuery, PlannedMode, QueryOptions
from app.web.services.filters import ActiveFilter, build_active_filters, build_hidden_mask
from app.web.state import Library

MAX_USERNAME_LENGTH = 100

ResultT = TypeVar("ResultT")


def get_source(library: Library, slug: str) -> ListSource:
    """The source with this slug.

    Raises:
        BadQuery: there is none.
    """
    try:
        return library.sources[slug]
    except KeyError:
        known = ", ".join(library.sources)
        raise InvalidQuery("source", f"“source” should be one of: {known}.") from None


def fetch_list_or_empty(
    source: ListSource, username: str, on_progress: ListProgressCallback = ignore_progress
) -> AnimeList:
    """The list of a user; one without anime is an empty list, not an error.

    ``report`` is told how far it has come.

    Raises:
        ListError: any other kind.
    """
    try:
        with LIST_FETCH_SECONDS.labels(source.slug).time():
            return source.fetch(username, on_progress)
    except EmptyList as error:
        return AnimeList(source.slug, error.username or username, ())


def to_user_list(anime_list: AnimeList) -> UserList:
    """The list in the recommender's form."""
    user_list = UserList.from_entries(
        [(entry.anime_id, entry.score, entry.status) for entry in anime_list.entries]
    )
    return user_list.with_favourites(anime_list.favourites)


@dataclass(frozen=True, slots=True)
class FilterRelaxation:
    """A filter, and how many titles there would be without it."""

    filter: ActiveFilter
    result_count: int

    def to_json(self) -> dict[str, Any]:
        """The filter by its options, as the API tells of it."""
        return {
            "options": self.filter.option_names,
            "label": self.filter.label,
            "would_show": self.result_count,
        }


@dataclass(frozen=True, slots=True)
class FilteredResult(Generic[ResultT]):
    """What was found, and the filters that it went through.

    ``relax``, when nothing is left: the filters that alone let something in, best first.
    """

    result: ResultT
    filters: list[ActiveFilter]
    relaxations: list[FilterRelaxation]


def run_with_relaxations(
    run: Callable[[QueryOptions], tuple[ResultT, list[ActiveFilter]]],
    options: QueryOptions,
    count_results: Callable[[ResultT], int],
) -> FilteredResult[ResultT]:
    """Ask, and again without each filter if nothing is left; ``count`` is how many titles are."""
    found, filters = run(options)
    if count_results(found):
        return FilteredResult(found, filters, [])
    relaxations_by_filter = [
        FilterRelaxation(
            each, count_results(run(each.options_without.with_changes(top=MAX_TOP))[0])
        )
        for each in filters
    ]
    relax = sorted(
        (each for each in relaxations_by_filter if each.result_count),
        key=lambda each: -each.result_count,
    )
    return FilteredResult(found, filters, relax)


def recommend_and_record(
    library: Library, user_list: UserList, options: QueryOptions, unmapped: int = 0
) -> FilteredResult[RecommendationResult]:
    """The answer to who asked with this list; ``unmapped`` titles of it have no anime id."""
    run = partial(_recommend, library, user_list)
    filtered = run_with_relaxations(run, options, lambda found: len(found.recommendations))
    count_list_entries(library.model.find_positions(user_list.anime_id) >= 0, unmapped)
    return filtered


def recommend_for_list(
    library: Library, user_list: UserList, options: QueryOptions
) -> RecommendationResult:
    """Recommend what the options let through."""
    return _recommend(library, user_list, options)[0]


@RECOMMEND_SECONDS.time()
def _recommend(
    library: Library, user_list: UserList, options: QueryOptions
) -> tuple[RecommendationResult, list[ActiveFilter]]:
    user = build_user_profile(library, user_list, options)
    filters = active_filters_for(library, (user,), options)
    return recommend(library.model, user, build_options(library, options, filters)), filters


def build_options(
    library: Library, query_options: QueryOptions, filters: Iterable[ActiveFilter]
) -> RecommendOptions:
    """The options as the recommender takes them.

    Raises:
        BadQuery: the model does not have the engine.
    """
    engines = (EngineName.HAKKEN, *library.model.engines)
    if query_options.engine not in engines:
        raise InvalidQuery("engine", f"“engine” should be one of: {', '.join(engines)}.")
    return RecommendOptions(
        top_n=query_options.top,
        sort_order=query_options.order,
        engine=query_options.engine,
        include_planned=query_options.planned is not PlannedMode.NO,
        include_extras=query_options.extras,
        franchises=library.franchises,
        allowed_mask=build_allowed_mask(library, query_options, filters),
    )


def build_allowed_mask(
    library: Library, options: QueryOptions, filters: Iterable[ActiveFilter]
) -> BoolArray:
    """Where an anime may be shown, (n,) bool; adult anime only if asked for."""
    allowed = np.ones(len(library.model), bool) if options.adult else library.non_adult.copy()
    for each in filters:
        allowed &= each.mask
    if options.hide:
        positions = library.model.find_positions(np.array(options.hide, np.int64))
        allowed &= ~build_hidden_mask(library.model, library.franchises, positions)
    return allowed


def active_filters_for(
    library: Library, users: Sequence[UserProfile], options: QueryOptions
) -> list[ActiveFilter]:
    """The filters that are on for these fans together."""
    seen = np.concatenate([user.seen for user in users])
    planned = np.concatenate([user.planned for user in users])
    return build_active_filters(library.attributes, library.franchises, seen, planned, options)


def build_user_profile(library: Library, user_list: UserList, options: QueryOptions) -> UserProfile:
    """The fan with this list, and with what was marked as seen on the page."""
    user_list = with_seen_marks(user_list, options)
    return fold_in(library.model, user_list, ignore_dropped=options.ignore_dropped)


def with_seen_marks(user_list: UserList, options: QueryOptions) -> UserList:
    """The list, with what was marked as seen on the page."""
    if not options.seen:
        return user_list
    rows = zip(
        user_list.anime_id.tolist(),
        user_list.score.tolist(),
        user_list.status.tolist(),
        strict=True,
    )
    seen = [(anime_id, float(score), WatchStatus.COMPLETED) for anime_id, score in options.seen]
    favourites = (
        () if user_list.favourite is None else user_list.anime_id[user_list.favourite].tolist()
    )
    return UserList.from_entries([*rows, *seen]).with_favourites(favourites)


def resolve_source(library: Library, slug: str, user_input: str) -> tuple[ListSource, str]:
    """The source and the username that a visitor means by what was typed.

    A pasted profile address decides by itself, whichever site was chosen beside it. Without a site,
    the first one is meant.

    Raises:
        BadQuery: there is no such source.
        BadUsername: what was typed cannot stand in an address.
    """
    user_input = user_input.strip()
    for source in library.sources.values():
        if name := source.username_rule.username_in_url(user_input):
            return source, name
    source = get_source(library, slug or next(iter(library.sources), ""))
    if not user_input:
        raise BadUsername(source=source.name, username="", rule="")
    if len(user_input) > MAX_USERNAME_LENGTH:
        raise BadUsername(
            source=source.name, username=user_input[:MAX_USERNAME_LENGTH], rule="it is far too long"
        )
    if set(user_input) <= set("./"):
        raise BadUsername(
            source=source.name, username=user_input, rule="names hold letters or digits"
        )
    return source, user_input
