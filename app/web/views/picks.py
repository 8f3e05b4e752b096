"""Picking anime by hand, for fans without a list anywhere; and the search behind it."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.catalogue import TitleLanguage
from app.title_search import MAX_QUERY_LENGTH
from app.web.presenters.answers import search_answer
from app.web.request_costs import Cost, rate_limited
from app.web.requests.pick_list import add_pick, add_tapped_picks, format_picks, parse_picks
from app.web.requests.query import (
    DEFAULT_SEARCH_LIMIT,
    SearchQuery,
    parse_query,
    parse_title_language,
    title_query,
)
from app.web.services.showcase import known_anime
from app.web.state import get_library
from app.web.views.responses import PUBLIC_HOUR, json_response

blueprint = Blueprint("picks", __name__)

PICK_WALL = 40
"""How many posters there are to tap."""


@blueprint.get("/api/v1/anime")
@rate_limited(Cost.PAGE)
def search_anime() -> Response:
    """Answer with anime by title."""
    query = parse_query(SearchQuery, request.args)
    found = get_library().search(query.search, query.limit)
    return json_response(search_answer(found), PUBLIC_HOUR)


@blueprint.get("/pick")
@rate_limited(Cost.PAGE)
def show_picker() -> str | AnyResponse:
    """Search, add, score, remove. Every state is an address, so it works without scripts.

    With them, what was tapped and not sent comes along.
    """
    typed, catalogue = request.args, get_library().catalogue
    picks = add_tapped_picks(parse_picks(typed.get("picks", "")), catalogue, typed)
    language = parse_title_language(typed)
    if "add" in typed:
        picks = add_pick(picks, catalogue, typed["add"], typed.get("score", ""))
        return redirect(_picker_url(picks, language), 303)
    return _render(picks, typed.get("q", "").strip()[:MAX_QUERY_LENGTH], language)


def _render(picks: dict[int, int], query: str, language: TitleLanguage) -> str:
    library = get_library().in_language(language)
    found = library.search(query, DEFAULT_SEARCH_LIMIT)
    offered = known_anime(library, PICK_WALL, frozenset(picks)) if not query else []
    return render_template(
        "pick.html",
        query=query,
        title_language=language,
        found=[anime for anime in found if anime.anime_id not in picks],
        found_picked=any(anime.anime_id in picks for anime in found),
        rows=[
            (
                library.catalogue.get_anime(anime_id),
                score,
                _picker_url({n: s for n, s in picks.items() if n != anime_id}, language),
            )
            for anime_id, score in picks.items()
        ],
        picks=format_picks(picks),
        wall_tiles=offered,
    )


def _picker_url(picks: dict[int, int], language: TitleLanguage) -> str:
    return url_for(".show_picker", picks=format_picks(picks) or None, **title_query(language))
