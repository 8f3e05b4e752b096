"""Picking anime by hand, for fans without a list anywhere; and the search behind it."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response, json, redirect, render_template, request, url_for
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wrappers import Response as AnyResponse

from app.catalogue import Anime
from app.title_search import MAX_QUERY_LENGTH
from app.web.request_costs import Cost, rate_limited
from app.web.requests.pick_list import MAX_PICKS, format_picks, parse_picks
from app.web.requests.query import (
    InvalidQuery,
    QueryOptions,
    TitleLanguage,
    parse_query,
    parse_title_language,
    to_page_query,
)
from app.web.requests.values import PARSE_INT
from app.web.state import Library, get_library

blueprint = Blueprint("picks", __name__)

DEFAULT_SEARCH_LIMIT = 12


class SearchQuery(BaseModel):
    """The query of ``GET /api/v1/anime``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    search: Annotated[
        str, Field(min_length=1, max_length=MAX_QUERY_LENGTH, description="a title, or some of it")
    ]
    limit: Annotated[
        int, Field(ge=1, le=50, description="a whole number from 1 to 50"), PARSE_INT
    ] = DEFAULT_SEARCH_LIMIT


@blueprint.get("/api/v1/anime")
@rate_limited(Cost.PAGE)
def search_anime() -> Response:
    """Anime by title."""
    library = get_library()
    query = parse_query(SearchQuery, request.args)
    body = {
        "anime": [
            _anime_json(anime) for anime in _search_titles(library, query.search, query.limit)
        ]
    }
    response = Response(json.dumps(body, ensure_ascii=False), mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@blueprint.get("/pick")
@rate_limited(Cost.PAGE)
def show_picker() -> str | AnyResponse:
    """Search, add, score, remove. Every state is an address, so it works without scripts."""
    library = get_library()
    picks = parse_picks(request.args.get("picks", ""))
    language = parse_title_language(request.args)
    if "add" in request.args:
        picks |= _parse_added_pick(
            library, request.args.get("add", ""), request.args.get("score", "")
        )
        if len(picks) > MAX_PICKS:
            raise InvalidQuery(
                "picks", f"Up to {MAX_PICKS} picks fit into an address: remove some."
            )
        return redirect(_picker_url(picks, language), 303)
    query = request.args.get("q", "").strip()[:MAX_QUERY_LENGTH]
    matches = [
        anime
        for anime in _search_titles(library, query, DEFAULT_SEARCH_LIMIT)
        if anime.anime_id not in picks
    ]
    picked_anime = [
        (library.catalogue.get_anime(anime_id), score) for anime_id, score in picks.items()
    ]
    title_query = _title_query(language)
    return render_template(
        "pick.html",
        query=query,
        english=language is TitleLanguage.ENGLISH,
        switched=url_for(
            ".show_picker",
            picks=format_picks(picks) or None,
            q=query or None,
            **_other_title_query(language),
        ),
        found=matches,
        rows=picked_anime,
        picks=format_picks(picks),
        without=lambda anime_id: _picker_url(
            {n: s for n, s in picks.items() if n != anime_id}, language
        ),
        ready=url_for("pages.show_picked_recommendations", picks=format_picks(picks), **title_query)
        if picks
        else None,
    )


def _search_titles(library: Library, text: str, limit: int) -> list[Anime]:
    return [
        library.catalogue.get_anime(anime_id)
        for anime_id in library.title_index.search(text, limit)
    ]


def _parse_added_pick(library: Library, anime_id: str, score: str) -> dict[int, int]:
    known = anime_id.isascii() and anime_id.isdigit() and int(anime_id) in library.catalogue
    if not known:
        raise InvalidQuery("add", "“add” should be the number of an anime that Hakken knows.")
    if not (score.isascii() and score.isdigit() and int(score) <= 10):
        raise InvalidQuery("score", "“score” should be a whole number from 1 to 10, or 0 for none.")
    return {int(anime_id): int(score)}


def _picker_url(picks: dict[int, int], language: TitleLanguage) -> str:
    return url_for(".show_picker", picks=format_picks(picks) or None, **_title_query(language))


def _title_query(language: TitleLanguage) -> dict[str, Any]:
    return to_page_query(QueryOptions(title=language))


def _other_title_query(language: TitleLanguage) -> dict[str, Any]:
    return _title_query(
        TitleLanguage.ROMAJI if language is TitleLanguage.ENGLISH else TitleLanguage.ENGLISH
    )


def _anime_json(anime: Anime) -> dict[str, Any]:
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
