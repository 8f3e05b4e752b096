"""One anime: what is known of it, where it stands in the model, and what is like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from flask import Blueprint, Response, abort, make_response, render_template
from flask import request as asked
from pydantic import BaseModel, ConfigDict, Field

from app.catalogue import Anime
from app.recommender.rank import FEW_LISTS
from app.web.alike import alike, also_loved
from app.web.answering import allowed_by
from app.web.as_json import as_json
from app.web.filters import filters_on
from app.web.links import links_of
from app.web.options import Genres, Language, Options, Types, read_language, read_query
from app.web.state import Library, library
from app.web.values import AS_WHOLE
from app.web.view import TINTS, initial_of

blueprint = Blueprint("anime", __name__)

SHOWN = 10
LOVED = 8
MOST = 50
KEPT = "public, max-age=3600"
"""About anime, not about fans: anybody may keep it for an hour."""


class SimilarQuery(BaseModel):
    """The query of ``GET /api/v1/anime/<id>/similar``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top: Annotated[
        int, Field(ge=1, le=MOST, description=f"a whole number from 1 to {MOST}"), AS_WHOLE
    ] = SHOWN
    type: Types = ()
    genre: Genres = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an anime stands in the model. ``place`` is 1 for the one on most lists; ``bias`` how
    far above the average anime fans score it, ``expected`` what a typical fan would."""

    place: int
    anime: int
    lists: int
    fans: int
    scores: int
    bias: float
    expected: float


@blueprint.get("/anime/<int:anime_id>")
def page(anime_id: int) -> Response:
    """The page of an anime."""
    held = library()
    anime, at = _known(held, anime_id)
    language = read_language(asked.args)
    english = language is Language.ENGLISH
    shown = make_response(
        render_template(
            "anime.html",
            anime=anime,
            title=anime.called(english=english),
            other=anime.also_called(english=english),
            english=english,
            initial=initial_of(anime.called(english=english)),
            tint=anime_id % TINTS,
            standing=_standing(held, at),
            few_lists=FEW_LISTS,
            alike=alike(held, at, SHOWN),
            loved=also_loved(held, at, LOVED),
            series=_series(held, at),
            links=links_of(anime),
            data_date=held.model.manifest.created[:10],
        )
    )
    shown.headers["Cache-Control"] = KEPT
    return shown


@blueprint.get("/api/v1/anime/<int:anime_id>")
def facts(anime_id: int) -> Response:
    """The same as JSON. ``in_model`` is null for an anime that too few fans have on their lists."""
    held = library()
    anime, at = _known(held, anime_id)
    standing = _standing(held, at)
    return as_json(
        {
            "model": held.model.version,
            **_brief(anime),
            "season": anime.season,
            "genres": list(anime.genres),
            "adult": bool(anime.adult),
            "picture": anime.picture,
            "links": dict(links_of(anime)),
            "in_model": standing
            and {
                "popularity_rank": standing.place,
                "lists": standing.lists,
                "scores": standing.scores,
                "bias": round(standing.bias, 6) if standing.scores else None,
                "typical_score": round(standing.expected, 6) if standing.scores else None,
            },
            "series": [_brief(other) for other in _series(held, at)],
        },
        KEPT,
    )


@blueprint.get("/api/v1/anime/<int:anime_id>/similar")
def similar(anime_id: int) -> Response:
    """What is like an anime, in both ways that the model knows, and what its fans love."""
    held = library()
    _, at = _known(held, anime_id)
    query = read_query(SimilarQuery, asked.args)
    top, nothing = query.top, np.empty(0, np.int64)
    # Anime like one for adults may be for adults, too: `alike` sees to that.
    wanted = Options(type=query.type, genre=query.genre, adult=True)
    filters = filters_on(held.facts, held.franchises, nothing, nothing, wanted)
    allowed = allowed_by(held, wanted, filters)
    found = alike(held, at, top, allowed)
    body: dict[str, Any] = {"model": held.model.version, "anime_id": anime_id}
    for name, rows in (("similarity", found.similarity), ("affinity", found.affinity)):
        body[name] = [{**_brief(each.anime), "weight": round(each.weight, 6)} for each in rows]
    body["engines"] = {
        name: [{**_brief(each.anime), "weight": round(each.weight, 6)} for each in rows]
        for name, rows in found.engines.items()
    }
    body["also_loved"] = [
        {
            **_brief(each.anime),
            "match": round(each.match, 6),
            "predicted_score": round(each.score, 6),
        }
        for each in also_loved(held, at, top, allowed)
    ]
    return as_json(body, KEPT)


def _known(held: Library, anime_id: int) -> tuple[Anime, int]:
    """The anime, and its position in the model or -1; 404 if nobody knows it."""
    if anime_id not in held.catalogue:
        abort(404)
    at = int(held.model.find(np.array([anime_id], np.int64))[0])
    return held.catalogue.get(anime_id), at


def _standing(held: Library, at: int) -> Standing | None:
    model = held.model
    if at < 0:
        return None
    bias = float(model.item_bias[at])
    return Standing(
        place=int(held.facts.rank[at]) + 1,
        anime=len(model),
        lists=int(model.entry_count[at]),
        fans=model.manifest.counts.get("fans", 0),
        scores=int(model.rating_count[at]),
        bias=bias,
        expected=min(10.0, max(1.0, model.mean + bias)),
    )


def _series(held: Library, at: int) -> list[Anime]:
    """The whole franchise in the order in which it would be watched; empty if it stands alone."""
    franchises = held.franchises
    if at < 0 or franchises.group[at] < 0:
        return []
    members = franchises.order[franchises.group[franchises.order] == franchises.group[at]]
    if held.suitable[at]:
        members = members[held.suitable[members]]
    found = [held.catalogue.get(int(held.model.anime_id[member])) for member in members]
    return found if len(found) > 1 else []


def _brief(anime: Anime) -> dict[str, Any]:
    return {
        "anime_id": anime.anime_id,
        "title": anime.title,
        "title_english": anime.title_english,
        "type": anime.type,
        "year": anime.year,
        "episodes": anime.episodes,
    }
