"""One anime: where it stands in the model, and what is like it.

``position`` is that of the anime in the model, -1 where the model does not know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from app.age_rating import CHILDREN_CEILING
from app.catalogue import Anime
from app.recommender import RecommendOptions, UserList, WatchStatus, recommend
from app.recommender.array_types import BoolArray
from app.recommender.similar_items import similar_items
from app.web.requests.query import QueryOptions, SimilarQuery
from app.web.services.filters import build_active_filters
from app.web.services.library import Library
from app.web.services.recommendations import build_allowed_mask

TOP_SCORE = 10.0


@dataclass(frozen=True, slots=True)
class AnimeStats:
    """Where an anime stands in the model.

    ``popularity_rank`` 1 is the best known; ``item_bias`` is how far above the average anime
    users score it.
    """

    popularity_rank: int
    anime_count: int
    list_count: int
    user_count: int
    rating_count: int
    item_bias: float
    typical_score: float


@dataclass(frozen=True, slots=True)
class SimilarItem:
    """An anime like another, and how strongly."""

    anime: Anime
    weight: float


SimilarItems = tuple[SimilarItem, ...]


@dataclass(frozen=True, slots=True)
class SimilarItemLists:
    """What is scored alike, what its fans pick, and by engine those whose vectors are near."""

    similarity: SimilarItems = ()
    affinity: SimilarItems = ()
    engines: Mapping[str, SimilarItems] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlsoLovedAnime:
    """What Hakken recommends to a fan of whom it knows one thing: that they love this anime."""

    anime: Anime
    match: float
    predicted_score: float


def find_anime(library: Library, anime_id: int) -> tuple[Anime, int] | None:
    """Look an anime and its position up; None if the catalogue does not know it."""
    if anime_id not in library.catalogue:
        return None
    position = int(library.model.find_positions(np.array([anime_id], np.int64))[0])
    return library.catalogue.get_anime(anime_id), position


def anime_stats(library: Library, position: int) -> AnimeStats | None:
    """Say where the anime stands in the model; None if it is not in it."""
    model = library.model
    if position < 0:
        return None
    bias = float(model.item_bias[position])
    return AnimeStats(
        popularity_rank=int(library.attributes.popularity_rank[position]) + 1,
        anime_count=len(model),
        list_count=int(model.entry_count[position]),
        user_count=model.manifest.counts.get("fans", 0),
        rating_count=int(model.rating_count[position]),
        item_bias=bias,
        typical_score=min(10.0, max(1.0, model.global_mean + bias)),
    )


def series_in_order(library: Library, anime: Anime) -> list[Anime]:
    """List the whole series in watch order; empty if the anime stands alone.

    Beside what is for everybody nothing is for adults.
    """
    found = map(library.catalogue.get_anime, library.catalogue.series(anime.anime_id))
    series = [other for other in found if anime.adult or not other.adult]
    return series if len(series) > 1 else []


def candidate_mask(library: Library, query: SimilarQuery) -> BoolArray:
    """Where an anime passes the filters of a query, (n,) bool."""
    nothing = np.empty(0, np.int64)
    # What is like an anime for adults may be for adults, too: the callers see to that.
    options = QueryOptions(type=query.type, genre=query.genre, rating=query.rating, adult=True)
    filters = build_active_filters(
        library.attributes, library.franchises, nothing, nothing, options
    )
    return build_allowed_mask(library, options, filters)


def find_also_loved(
    library: Library, position: int, count: int, candidates: BoolArray | None = None
) -> tuple[AlsoLovedAnime, ...]:
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
    return tuple(
        AlsoLovedAnime(library.catalogue.get_anime(each.anime_id), each.match, each.predicted_score)
        for each in recommend(library.model, user_list, options).recommendations
    )


def find_similar_items(
    library: Library, position: int, count: int, candidates: BoolArray | None = None
) -> SimilarItemLists:
    """Find what this anime's score is predicted from (similarity), and what it speaks for.

    ``candidates`` (n,) narrows what is shown.
    """
    if position < 0:
        return SimilarItemLists()
    allowed = _shown_beside(library, position, candidates)

    def found(source: str) -> SimilarItems:
        pairs = similar_items(library.model, source, position, count=count, allowed=allowed)
        return tuple(
            SimilarItem(library.catalogue.get_anime(int(library.model.anime_id[other])), weight)
            for other, weight in pairs
        )

    return SimilarItemLists(
        found("similarity"),
        found("affinity"),
        {name: found(name) for name in library.model.engines},
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
