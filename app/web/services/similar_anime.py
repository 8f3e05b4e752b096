"""What is like an anime: by the model's two matrices, and for who is known to love it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from app.catalogue import Anime
from app.recommender import RecommendOptions, UserList, WatchStatus, recommend
from app.recommender.array_types import BoolArray, Float64Array, Int64Array
from app.recommender.user_neighbours import similar_items
from app.web.state import Library

TOP_SCORE = 10.0


@dataclass(frozen=True, slots=True)
class SimilarItem:
    """An anime like another, and how strongly."""

    anime: Anime
    weight: float


@dataclass(frozen=True, slots=True)
class SimilarItemLists:
    """What is like an anime: those scored alike, those that its fans pick, and by the name of each
    engine that the model has those whose vectors are near."""

    similarity: tuple[SimilarItem, ...] = ()
    affinity: tuple[SimilarItem, ...] = ()
    engines: Mapping[str, tuple[SimilarItem, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlsoLovedAnime:
    """What Hakken recommends to a fan of whom it knows one thing: that they love this anime."""

    anime: Anime
    match: float
    predicted_score: float


def find_also_loved(
    library: Library, position: int, count: int, candidates: BoolArray | None = None
) -> tuple[AlsoLovedAnime, ...]:
    """The recommendations for a list on which nothing stands but this anime, with a 10.

    Of other series than its own, which has a place of its own on the page.
    """
    if position < 0:
        return ()
    franchise_ids = library.franchises.franchise_id
    allowed = (
        library.non_adult.copy()
        if library.non_adult[position]
        else np.ones(len(library.model), bool)
    )
    if candidates is not None:
        allowed &= candidates
    if franchise_ids[position] >= 0:
        allowed &= franchise_ids != franchise_ids[position]
    user_list = UserList.from_entries(
        [(int(library.model.anime_id[position]), TOP_SCORE, WatchStatus.COMPLETED)]
    )
    options = RecommendOptions(
        top_n=count, franchises=library.franchises, allowed_mask=allowed, explanation_size=0
    )
    return tuple(
        AlsoLovedAnime(library.catalogue.get_anime(each.anime_id), each.match, each.predicted_score)
        for each in recommend(library.model, user_list, options).recommendations
    )


def find_similar_items(
    library: Library, position: int, count: int, allowed: BoolArray | None = None
) -> SimilarItemLists:
    """Similarity is what this anime's score is predicted from; affinity what it speaks for.

    ``allowed`` (n,) narrows what is shown; beside what is for everybody nothing is for adults.
    """
    if position < 0:
        return SimilarItemLists()
    shown = np.ones(len(library.model), bool) if allowed is None else allowed.copy()
    if library.non_adult[position]:
        shown &= library.non_adult
    row = slice(
        library.model.affinity_matrix.indptr[position],
        library.model.affinity_matrix.indptr[position + 1],
    )
    targets = library.model.affinity_matrix.indices[row].astype(np.int64)
    weights = library.model.affinity_matrix.data[row] * library.model.affinity_matrix.scale
    return SimilarItemLists(
        _top_weighted(
            library, position, *library.model.similarity.column_entries(position), count, shown
        ),
        _top_weighted(library, position, targets, weights, count, shown),
        {
            name: _similar_by_engine(library, name, position, count, shown)
            for name in library.model.engines
        },
    )


def _top_weighted(
    library: Library,
    position: int,
    positions: Int64Array,
    weights: Float64Array,
    count: int,
    allowed: BoolArray,
) -> tuple[SimilarItem, ...]:
    """The largest positive weights."""
    shown = (weights > 0) & (positions != position) & allowed[positions]
    positions, weights = positions[shown], weights[shown]
    best = np.lexsort((positions, -weights))[:count]
    return tuple(
        SimilarItem(
            library.catalogue.get_anime(int(library.model.anime_id[positions[n]])),
            float(weights[n]),
        )
        for n in best
    )


def _similar_by_engine(
    library: Library, engine: str, position: int, count: int, allowed: BoolArray
) -> tuple[SimilarItem, ...]:
    found = similar_items(library.model, engine, position, count=count, allowed=allowed)
    return tuple(
        SimilarItem(
            library.catalogue.get_anime(int(library.model.anime_id[similar_position])), similarity
        )
        for similar_position, similarity in found
    )
