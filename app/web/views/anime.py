"""One anime: what is known of it, where it stands in the model, and what is like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from flask import Blueprint, Response, abort, make_response, render_template
from flask import request as asked
from pydantic import BaseModel, ConfigDict, Field

from app.catalogue import Anime
from app.recommender.rank import RARE_ITEM_LISTS
from app.web.presenters.links import site_links
from app.web.presenters.results import POSTER_TINTS, poster_initial
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import (
    Genres,
    QueryOptions,
    TitleLanguage,
    Types,
    parse_query,
    parse_title_language,
)
from app.web.requests.values import PARSE_INT
from app.web.services.filters import build_active_filters
from app.web.services.recommend import build_allowed_mask
from app.web.services.similar_anime import find_also_loved, find_similar_items
from app.web.state import Library, get_library
from app.web.views.responses import json_response

blueprint = Blueprint("anime", __name__)

DEFAULT_SIMILAR = 10
ALSO_LOVED_COUNT = 8
MAX_SIMILAR = 50
CACHE_CONTROL = "public, max-age=3600"
"""About anime, not about fans: anybody may keep it for an hour."""


class SimilarQuery(BaseModel):
    """The query of ``GET /api/v1/anime/<id>/similar``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top: Annotated[
        int,
        Field(ge=1, le=MAX_SIMILAR, description=f"a whole number from 1 to {MAX_SIMILAR}"),
        PARSE_INT,
    ] = DEFAULT_SIMILAR
    type: Types = ()
    genre: Genres = ()


@dataclass(frozen=True, slots=True)
class AnimeStats:
    """Where an anime stands in the model. ``place`` is 1 for the one on most lists; ``bias`` how
    far above the average anime fans score it, ``expected`` what a typical fan would."""

    popularity_rank: int
    anime_count: int
    list_count: int
    user_count: int
    rating_count: int
    item_bias: float
    typical_score: float


@blueprint.get("/anime/<int:anime_id>")
@rate_limited(Cost.PAGE)
def show_anime(anime_id: int) -> Response:
    """The page of an anime."""
    library = get_library()
    anime, position = _find_anime(library, anime_id)
    language = parse_title_language(asked.args)
    english = language is TitleLanguage.ENGLISH
    response = make_response(
        render_template(
            "anime.html",
            anime=anime,
            title=anime.display_title(english=english),
            other=anime.alternate_title(english=english),
            english=english,
            initial=poster_initial(anime.display_title(english=english)),
            tint=anime_id % POSTER_TINTS,
            standing=_anime_stats(library, position),
            few_lists=RARE_ITEM_LISTS,
            alike=find_similar_items(library, position, DEFAULT_SIMILAR),
            loved=find_also_loved(library, position, ALSO_LOVED_COUNT),
            series=_franchise_in_order(library, position),
            links=site_links(anime),
            data_date=library.model.manifest.created[:10],
        )
    )
    response.headers["Cache-Control"] = CACHE_CONTROL
    return response


@blueprint.get("/api/v1/anime/<int:anime_id>")
@rate_limited(Cost.PAGE)
def get_anime(anime_id: int) -> Response:
    """The same as JSON. ``in_model`` is null for an anime that too few fans have on their lists."""
    library = get_library()
    anime, position = _find_anime(library, anime_id)
    stats = _anime_stats(library, position)
    return json_response(
        {
            "model": library.model.version,
            **_anime_summary(anime),
            "season": anime.season,
            "genres": list(anime.genres),
            "adult": bool(anime.adult),
            "picture": anime.picture,
            "links": dict(site_links(anime)),
            "in_model": stats
            and {
                "popularity_rank": stats.popularity_rank,
                "lists": stats.list_count,
                "scores": stats.rating_count,
                "bias": round(stats.item_bias, 6) if stats.rating_count else None,
                "typical_score": round(stats.typical_score, 6) if stats.rating_count else None,
            },
            "series": [_anime_summary(other) for other in _franchise_in_order(library, position)],
        },
        CACHE_CONTROL,
    )


@blueprint.get("/api/v1/anime/<int:anime_id>/similar")
@rate_limited(Cost.PAGE)
def get_similar_anime(anime_id: int) -> Response:
    """What is like an anime, in both ways that the model knows, and what its fans love."""
    library = get_library()
    _, position = _find_anime(library, anime_id)
    query = parse_query(SimilarQuery, asked.args)
    top, nothing = query.top, np.empty(0, np.int64)
    # Anime like one for adults may be for adults, too: `alike` sees to that.
    options = QueryOptions(type=query.type, genre=query.genre, adult=True)
    filters = build_active_filters(
        library.attributes, library.franchises, nothing, nothing, options
    )
    allowed = build_allowed_mask(library, options, filters)
    found = find_similar_items(library, position, top, allowed)
    body: dict[str, Any] = {"model": library.model.version, "anime_id": anime_id}
    for name, rows in (("similarity", found.similarity), ("affinity", found.affinity)):
        body[name] = [
            {**_anime_summary(each.anime), "weight": round(each.weight, 6)} for each in rows
        ]
    body["engines"] = {
        name: [{**_anime_summary(each.anime), "weight": round(each.weight, 6)} for each in rows]
        for name, rows in found.engines.items()
    }
    body["also_loved"] = [
        {
            **_anime_summary(each.anime),
            "match": round(each.match, 6),
            "predicted_score": round(each.predicted_score, 6),
        }
        for each in find_also_loved(library, position, top, allowed)
    ]
    return json_response(body, CACHE_CONTROL)


def _find_anime(library: Library, anime_id: int) -> tuple[Anime, int]:
    """The anime, and its position in the model or -1; 404 if nobody knows it."""
    if anime_id not in library.catalogue:
        abort(404)
    position = int(library.model.find_positions(np.array([anime_id], np.int64))[0])
    return library.catalogue.get_anime(anime_id), position


def _anime_stats(library: Library, position: int) -> AnimeStats | None:
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


def _franchise_in_order(library: Library, position: int) -> list[Anime]:
    """The whole franchise in the order in which it would be watched; empty if it stands alone."""
    franchises = library.franchises
    if position < 0 or franchises.franchise_id[position] < 0:
        return []
    members = franchises.watch_order[
        franchises.franchise_id[franchises.watch_order] == franchises.franchise_id[position]
    ]
    if library.non_adult[position]:
        members = members[library.non_adult[members]]
    found = [library.catalogue.get_anime(int(library.model.anime_id[member])) for member in members]
    return found if len(found) > 1 else []


def _anime_summary(anime: Anime) -> dict[str, Any]:
    return {
        "anime_id": anime.anime_id,
        "title": anime.title,
        "title_english": anime.title_english,
        "type": anime.type,
        "year": anime.year,
        "episodes": anime.episodes,
    }
