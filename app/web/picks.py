"""Picking anime by hand, for fans without a list anywhere; and the search behind it."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response, json, redirect, render_template, request, url_for
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wrappers import Response as AnyResponse

from app.catalogue import Anime
from app.search import LONGEST
from app.web.options import BadQuery, Language, Options, page_query, read_language, read_query
from app.web.picked import MOST, read_picks, write_picks
from app.web.state import Library, library
from app.web.values import AS_WHOLE

blueprint = Blueprint("picks", __name__)

SHOWN = 12


class SearchQuery(BaseModel):
    """The query of ``GET /api/v1/anime``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: Annotated[
        str, Field(min_length=1, max_length=LONGEST, description="a title, or some of it")
    ]
    limit: Annotated[
        int, Field(ge=1, le=50, description="a whole number from 1 to 50"), AS_WHOLE
    ] = SHOWN


@blueprint.get("/api/v1/anime")
def search() -> Response:
    """Anime by title."""
    held = library()
    query = read_query(SearchQuery, request.args)
    body = {"anime": [_as_json(anime) for anime in _found(held, query.search, query.limit)]}
    response = Response(json.dumps(body, ensure_ascii=False), mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@blueprint.get("/pick")
def pick() -> str | AnyResponse:
    """Search, add, score, remove. Every state is an address, so it works without scripts."""
    held = library()
    picks = read_picks(request.args.get("picks", ""))
    language = read_language(request.args)
    if "add" in request.args:
        picks |= _added(held, request.args.get("add", ""), request.args.get("score", ""))
        if len(picks) > MOST:
            raise BadQuery("picks", f"Up to {MOST} picks fit into an address: remove some.")
        return redirect(_address(picks, language), 303)
    query = request.args.get("q", "").strip()[:LONGEST]
    found = [anime for anime in _found(held, query, SHOWN) if anime.anime_id not in picks]
    rows = [(held.catalogue.get(anime_id), score) for anime_id, score in picks.items()]
    naming = _naming(language)
    return render_template(
        "pick.html",
        query=query,
        english=language is Language.ENGLISH,
        switched=url_for(
            ".pick", picks=write_picks(picks) or None, q=query or None, **_switched(language)
        ),
        found=found,
        rows=rows,
        picks=write_picks(picks),
        without=lambda anime_id: _address(
            {n: s for n, s in picks.items() if n != anime_id}, language
        ),
        ready=url_for("pages.picked", picks=write_picks(picks), **naming) if picks else None,
    )


def _found(held: Library, text: str, limit: int) -> list[Anime]:
    return [held.catalogue.get(anime_id) for anime_id in held.titles.search(text, limit)]


def _added(held: Library, anime_id: str, score: str) -> dict[int, int]:
    known = anime_id.isascii() and anime_id.isdigit() and int(anime_id) in held.catalogue
    if not known:
        raise BadQuery("add", "“add” should be the number of an anime that Hakken knows.")
    if not (score.isascii() and score.isdigit() and int(score) <= 10):
        raise BadQuery("score", "“score” should be a whole number from 1 to 10, or 0 for none.")
    return {int(anime_id): int(score)}


def _address(picks: dict[int, int], language: Language) -> str:
    return url_for(".pick", picks=write_picks(picks) or None, **_naming(language))


def _naming(language: Language) -> dict[str, Any]:
    return page_query(Options(title=language))


def _switched(language: Language) -> dict[str, Any]:
    return _naming(Language.ROMAJI if language is Language.ENGLISH else Language.ENGLISH)


def _as_json(anime: Anime) -> dict[str, Any]:
    return {
        "anime_id": anime.anime_id,
        "title": anime.title,
        "title_english": anime.title_english,
        "type": anime.type,
        "year": anime.year,
        "episodes": anime.episodes,
        "picture": anime.picture,
        "url": anime.url,
    }
