"""What the services found, as the JSON that the API answers (`app.schemas`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from app.catalogue import Anime
from app.details import DetailsResult
from app.lists.entry import AnimeList
from app.recommender import GroupResult, RecommendationResult
from app.recommender.similar_items import MATRICES
from app.recommender.user_neighbours import UserNeighbours
from app.schemas.anime import (
    AlsoLovedSchema,
    AnimeDetailsResponse,
    AnimeDetailsSchema,
    AnimePreview,
    AnimeRelation,
    AnimeResponse,
    SearchResponse,
    SeriesAnimeSchema,
    SimilarAnimeResponse,
    SimilarAnimeSchema,
    StreamingLinkSchema,
)
from app.schemas.pair import PairMemberSchema, PairRecommendationsResponse
from app.schemas.recommendations import (
    FetchedListCoverage,
    FileListCoverage,
    FileRecommendationsResponse,
    FilterRelaxationSchema,
    RatingCeilingSchema,
    RecommendationsResponse,
    UserRecommendationsResponse,
)
from app.schemas.similar_users import SimilarUsers, SimilarUsersResponse
from app.web.presenters.cards import site_links
from app.web.requests.query import QueryOptions, SimilarQuery
from app.web.services.anime import (
    anime_stats,
    candidate_mask,
    find_also_loved,
    find_similar_items,
    series_in_order,
)
from app.web.services.filters import ActiveFilter, find_ceiling
from app.web.services.library import Library
from app.web.services.recommendations import FilteredResult, FilterRelaxation
from app.web.services.similar_users import resolve_engine

AnswerT = TypeVar("AnswerT", bound=RecommendationsResponse)


def recommendations_answer(
    library: Library,
    filtered: FilteredResult[RecommendationResult],
    options: QueryOptions,
    site: str | None = None,
) -> RecommendationsResponse:
    """Answer with recommendations; where filters left nothing, with which of them to relax."""
    return _build_answer(RecommendationsResponse, library, filtered, options, site=site)


def user_recommendations_answer(
    library: Library,
    filtered: FilteredResult[RecommendationResult],
    options: QueryOptions,
    anime_list: AnimeList,
) -> UserRecommendationsResponse:
    """Answer with recommendations for a list from a site."""
    return _build_answer(
        UserRecommendationsResponse,
        library,
        filtered,
        options,
        site=anime_list.source,
        source=anime_list.source,
        username=anime_list.username or "",
        list=FetchedListCoverage.build(
            filtered.result.profile, unmapped=anime_list.unmapped, channel=anime_list.channel
        ),
    )


def file_recommendations_answer(
    library: Library,
    filtered: FilteredResult[RecommendationResult],
    options: QueryOptions,
    anime_list: AnimeList,
) -> FileRecommendationsResponse:
    """Answer with recommendations for a list in a file."""
    return _build_answer(
        FileRecommendationsResponse,
        library,
        filtered,
        options,
        site=anime_list.source,
        file_format=anime_list.file_format or "",
        username=anime_list.username,
        list=FileListCoverage.build(
            filtered.result.profile,
            unmapped=anime_list.unmapped,
            unplaced_titles=list(anime_list.unplaced_titles),
        ),
    )


def pair_answer(
    library: Library,
    filtered: FilteredResult[GroupResult],
    lists: tuple[AnimeList, AnimeList],
    options: QueryOptions,
) -> PairRecommendationsResponse:
    """Answer with recommendations for two."""
    result = filtered.result
    members = [
        PairMemberSchema.build(
            profile,
            source=anime_list.source,
            username=anime_list.username or "",
            personal=personal,
            unmapped=anime_list.unmapped,
            channel=anime_list.channel,
        )
        for profile, anime_list, personal in zip(
            result.profiles, lists, result.is_personalized, strict=True
        )
    ]
    return PairRecommendationsResponse.build(
        result,
        members,
        library.catalogue,
        relax=_describe_relaxations(filtered.relaxations) or None,
        ceiling=_ceiling_schema(library, filtered.filters, options),
    )


def similar_users_export(
    library: Library, found: UserNeighbours, options: QueryOptions, site: str
) -> SimilarUsers:
    """Answer with the users most like one, without saying whom."""
    engine = resolve_engine(library, options)
    return SimilarUsers.build(
        found, library.model, library.catalogue, engine, first_rank=options.offset + 1, site=site
    )


def similar_users_answer(
    library: Library, found: UserNeighbours, options: QueryOptions, anime_list: AnimeList
) -> SimilarUsersResponse:
    """Answer with the users most like one."""
    return SimilarUsersResponse.build(
        found,
        library.model,
        library.catalogue,
        resolve_engine(library, options),
        first_rank=options.offset + 1,
        site=anime_list.source,
        source=anime_list.source,
        username=anime_list.username or "",
    )


def anime_answer(library: Library, anime: Anime, position: int) -> AnimeResponse:
    """Answer with everything that is known of the anime at ``position`` (-1: not in the model)."""
    return AnimeResponse.of(
        anime,
        model=library.model.version,
        material=anime.source,
        links=dict(site_links(anime)),
        in_model=anime_stats(library, position),
        relation_to=AnimeRelation.of_anime(anime, library.catalogue),
        series=[
            SeriesAnimeSchema.of(
                other,
                relation_to=AnimeRelation.of_anime(other, library.catalogue),
                extra=other.is_extra,
                inferred=other.is_inferred,
            )
            for other in series_in_order(library, anime)
        ],
    )


def similar_anime_answer(
    library: Library, anime_id: int, position: int, query: SimilarQuery
) -> SimilarAnimeResponse:
    """Answer with what is like the anime at ``position`` of the model (-1: not in it)."""
    candidates = candidate_mask(library, query)
    similar = find_similar_items(library, position, query.top, candidates)
    also_loved = find_also_loved(library, position, query.top, candidates)
    by_source = {
        source: [SimilarAnimeSchema.of(anime, weight=weight) for anime, weight in items]
        for source, items in similar.items()
    }
    similarity, affinity = (by_source.pop(source) for source in MATRICES)
    return SimilarAnimeResponse(
        model=library.model.version,
        anime_id=anime_id,
        similarity=similarity,
        affinity=affinity,
        engines=by_source,
        also_loved=[
            AlsoLovedSchema.of(
                library.catalogue.get_anime(each.anime_id),
                match=each.match,
                predicted_score=each.predicted_score,
            )
            for each in also_loved
        ],
    )


def search_answer(found: list[Anime]) -> SearchResponse:
    """Answer with what a search found."""
    return SearchResponse(anime=[AnimePreview.of(anime, mal_url=anime.url) for anime in found])


def details_answer(found: DetailsResult) -> AnimeDetailsResponse:
    """Answer with pictures and synopses."""
    return AnimeDetailsResponse(
        details=[
            AnimeDetailsSchema.of(
                each, streaming=[StreamingLinkSchema.of(link) for link in each.streaming or ()]
            )
            for each in found.details
        ],
        complete=found.complete,
    )


def _ceiling_schema(
    library: Library, filters: Iterable[ActiveFilter], options: QueryOptions
) -> RatingCeilingSchema | None:
    found = find_ceiling(filters, options, library.rating_ceiling)
    return RatingCeilingSchema.of(found) if found else None


def _build_answer(
    response: type[AnswerT],
    library: Library,
    filtered: FilteredResult[RecommendationResult],
    options: QueryOptions,
    **further: Any,
) -> AnswerT:
    """Build any of the answers with recommendations; ``further`` are its own fields."""
    is_empty = not filtered.result.recommendations and not filtered.is_past_end
    return response.build(
        filtered.result,
        library.catalogue,
        relax=_describe_relaxations(filtered.relaxations)
        if is_empty and filtered.filters
        else None,
        ceiling=_ceiling_schema(library, filtered.filters, options),
        **further,
    )


def _describe_relaxations(relaxations: list[FilterRelaxation]) -> list[FilterRelaxationSchema]:
    return [
        FilterRelaxationSchema(
            options=list(each.filter.option_names),
            label=each.filter.label,
            would_show=each.result_count,
        )
        for each in relaxations
    ]
