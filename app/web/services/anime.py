"""One anime: where it stands in the model, what is like it, and whether it is for a fan.

``position`` is that of the anime in the model, -1 where the model does not know it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.age_rating import CHILDREN_CEILING
from app.catalogue import Anime
from app.lists.entry import AnimeList
from app.recommender import (
    ItemEstimates,
    RecommendedItem,
    RecommendOptions,
    UserList,
    WatchStatus,
    recommend,
)
from app.recommender.array_types import BoolArray
from app.recommender.franchise import way_through
from app.recommender.recommend import collapse_candidates, score_items
from app.recommender.similar_items import MATRICES, similar_items, similarity_sources
from app.schemas.anime import AnimeStatsSchema
from app.schemas.recommendations import AnimeForFanResponse, RecommendationSchema
from app.translation import gettext
from app.web.requests.query import PlannedMode, QueryOptions, SimilarQuery
from app.web.services.filters import build_active_filters
from app.web.services.library import Library
from app.web.services.recommendations import (
    active_filters_for,
    build_allowed_mask,
    build_options,
    estimate_for,
)
from app.web.services.user_lists import to_user_list

TOP_SCORE = 10.0


class UnknownAnime(Exception):  # noqa: N818 -- it names what was asked for, as the errors of lists do
    """The catalogue has no anime of this number."""

    def __init__(self, anime_id: int) -> None:
        super().__init__(
            gettext(
                "Hakken knows no anime with MyAnimeList’s number %(number)s: look for it by title.",
                number=anime_id,
            )
        )


def find_anime(library: Library, anime_id: int) -> tuple[Anime, int]:
    """Look an anime and its position up. Raises UnknownAnime: the catalogue does not know it."""
    if anime_id not in library.catalogue:
        raise UnknownAnime(anime_id)
    position = int(library.model.find_positions(np.array([anime_id], np.int64))[0])
    return library.catalogue.get_anime(anime_id), position


def anime_stats(library: Library, position: int) -> AnimeStatsSchema | None:
    """Say where the anime stands in the model; None if it is not in it."""
    model = library.model
    if position < 0:
        return None
    scores, bias = int(model.rating_count[position]), float(model.item_bias[position])
    return AnimeStatsSchema(
        popularity_rank=int(library.attributes.popularity_rank[position]) + 1,
        lists=int(model.entry_count[position]),
        scores=scores,
        bias=bias if scores else None,
        typical_score=min(10.0, max(1.0, model.global_mean + bias)) if scores else None,
    )


def series_in_order(library: Library, anime: Anime) -> list[Anime]:
    """List the whole series in watch order; empty if the anime stands alone.

    Beside what is for everybody nothing is for adults.
    """
    found = map(library.catalogue.get_anime, library.catalogue.series(anime.anime_id))
    series = [other for other in found if anime.adult or not other.adult]
    return series if len(series) > 1 else []


def find_way(library: Library, series: list[Anime], anime: Anime) -> tuple[int | None, int | None]:
    """Return the ids of where a series begins, and of what comes next after one anime of it.

    They are what a fan of nothing, and one who has seen it and all before it, would be recommended:
    a pilot or a cross-over of old that hardly anybody has seen is neither. Where the model knows
    none of the ``series``, only its order tells.
    """
    ids = [each.anime_id for each in series]
    positions = library.model.find_positions(np.array(ids, np.int64))
    if (positions < 0).all():
        after = series[ids.index(anime.anime_id) + 1 :] if series else []
        return _first_part(series), _first_part(after)
    passed = positions[: ids.index(anime.anime_id) + 1]
    model = library.model
    found = way_through(
        library.franchises,
        model.entry_count,
        model.parameters.franchise_shares,
        positions[positions >= 0],
        passed[passed >= 0],
    )
    start, following = (int(model.anime_id[at]) if at >= 0 else None for at in found)
    return start, following


def _first_part(series: list[Anime]) -> int | None:
    return next((each.anime_id for each in series if not each.is_extra), None)


def candidate_mask(library: Library, query: SimilarQuery) -> BoolArray:
    """Where an anime passes the filters of a query, (n,) bool."""
    nothing = np.empty(0, np.int64)
    # What is like an anime for adults may be for adults, too: the callers see to that.
    options = QueryOptions(type=query.type, genre=query.genre, rating=query.rating, adult=True)
    filters = build_active_filters(library.attributes, nothing, nothing, options)
    return build_allowed_mask(library, options, filters)


def find_also_loved(
    library: Library, position: int, count: int, candidates: BoolArray | None = None
) -> tuple[RecommendedItem, ...]:
    """Recommend for a list on which nothing stands but this anime, with a 10.

    Its own series is left out: it has its own section on the page. ``candidates`` (n,) narrows what
    is shown.
    """
    if position < 0:
        return ()
    franchise_ids = library.franchises.franchise_id
    allowed = _shown_beside(library, position, candidates)
    if franchise_ids[position] >= 0:
        allowed &= franchise_ids != franchise_ids[position]
    anime_id = int(library.model.anime_id[position])
    user_list = UserList.from_entries([(anime_id, TOP_SCORE, WatchStatus.COMPLETED)])
    options = RecommendOptions(
        top_n=count, franchises=library.franchises, allowed_mask=allowed, explanation_size=0
    )
    return recommend(library.model, user_list, options).recommendations


def find_similar_items(
    library: Library, position: int, count: int, candidates: BoolArray | None = None
) -> dict[str, list[tuple[Anime, float]]]:
    """Find by each of `similarity_sources` what an anime is like, and how strongly.

    ``candidates`` (n,) narrows what is shown.
    """
    if position < 0:
        return {source: [] for source in MATRICES}
    allowed = _shown_beside(library, position, candidates)
    return {
        source: [
            (library.catalogue.get_anime(int(library.model.anime_id[other])), weight)
            for other, weight in similar_items(
                library.model, source, position, count=count, allowed=allowed
            )
        ]
        for source in similarity_sources(library.model)
    }


def judge_for_fan(
    library: Library, anime: Anime, position: int, anime_list: AnimeList, username: str
) -> AnimeForFanResponse:
    """Judge the anime for the fan of a list: the numbers and reasons of a page of picks."""
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
        item = _placed(library, estimates, position, found[0]) if found else None
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


def _placed(
    library: Library, estimates: ItemEstimates, position: int, item: RecommendedItem
) -> RecommendedItem:
    """Give an anime that was judged alone its place among the picks of a page without options.

    What is not among these has the place that it would have.
    """
    model, plain = library.model, QueryOptions()
    filters = active_filters_for(library, (estimates.profile,), plain)
    options = build_options(library, plain, filters)
    scores = score_items(model, estimates, options)
    picks = collapse_candidates(model, scores, options)
    key, at = scores.sort_key, np.flatnonzero(picks.allowed)
    before = (key[at] > key[position]) | ((key[at] == key[position]) & (at < position))
    return replace(
        item,
        rank=1 + int(np.count_nonzero(before)),
        more_of_franchise=int(picks.hidden_count[position]),
    )


def is_for_children(library: Library, position: int) -> bool:
    """Tell whether the anime is rated G or PG."""
    listed = np.array([position] if position >= 0 else [], np.int64)
    return library.attributes.facets.is_childrens_list(listed)


def _shown_beside(library: Library, position: int, candidates: BoolArray | None) -> BoolArray:
    """Copy ``candidates``; beside what is for everybody nothing is for adults.

    Beside what is for children nothing is above PG-13, as in what a list of it would bring.
    """
    allowed = library.shown_mask(adult=not library.non_adult[position])
    if is_for_children(library, position):
        allowed &= library.attributes.facets.rated_up_to(CHILDREN_CEILING)
    return allowed if candidates is None else allowed & candidates
