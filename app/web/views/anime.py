"""One anime: what is known of it, where it stands in the model, and what is like it."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from app.catalogue import Anime
from app.schemas.recommendations import AnimeForFanResponse
from app.web.presenters.anime_page import anime_page_context
from app.web.presenters.answers import anime_answer, details_answer, similar_anime_answer
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import (
    DetailsQuery,
    ForFanQuery,
    SimilarQuery,
    parse_query,
    parse_title_language,
)
from app.web.services.anime import find_anime, judge_for_fan
from app.web.services.library import Library
from app.web.services.user_lists import UserRef, fetch_list, resolve_user
from app.web.state import get_library
from app.web.views.responses import PUBLIC_HOUR, json_response, page_response
from app.web.views.visitors import refer_to_user

blueprint = Blueprint("anime", __name__)


@blueprint.get("/anime/<int:anime_id>")
@rate_limited(Cost.PAGE)
def show_anime(anime_id: int) -> Response:
    """Show the page of an anime."""
    anime, position = find_anime(get_library(), anime_id)
    language = parse_title_language(request.args)
    library = get_library().in_language(language)
    context = anime_page_context(library, anime.called(language), position)
    return page_response(render_template("anime.html", **context), PUBLIC_HOUR)


@blueprint.get("/api/v1/anime/<int:anime_id>")
@rate_limited(Cost.PAGE)
def get_anime(anime_id: int) -> Response:
    """Answer with the same as JSON; ``in_model`` is null for an anime that too few users list."""
    library = get_library()
    anime, position = find_anime(library, anime_id)
    return json_response(anime_answer(library, anime, position), PUBLIC_HOUR)


@blueprint.get("/api/v1/anime/<int:anime_id>/similar")
@rate_limited(Cost.PAGE)
def get_similar_anime(anime_id: int) -> Response:
    """Answer with what is like an anime, in every way that the model knows."""
    library = get_library()
    _, position = find_anime(library, anime_id)
    query = parse_query(SimilarQuery, request.args)
    return json_response(similar_anime_answer(library, anime_id, position, query), PUBLIC_HOUR)


@blueprint.get("/anime/<int:anime_id>/for")
@rate_limited(Cost.LIST)
def show_anime_for_fan(anime_id: int) -> str:
    """Show the page of an anime, and whether it is for a fan."""
    typed = request.args
    anime, position = find_anime(get_library(), anime_id)
    meant = resolve_user(get_library(), typed.get("source", ""), typed.get("username", ""))
    user = refer_to_user(meant.source, meant.username)
    language = parse_title_language(typed)
    library, anime = get_library().in_language(language), anime.called(language)
    context = anime_page_context(library, anime, position)
    context["source"] = user.source.slug
    context["verdict"] = _judge(library, anime, position, user)
    return render_template("anime.html", **context)


@blueprint.get("/api/v1/anime/<int:anime_id>/for")
@rate_limited(Cost.LIST)
def get_anime_for_fan(anime_id: int) -> Response:
    """Answer whether an anime is for a fan."""
    anime, position = find_anime(get_library(), anime_id)
    query = parse_query(ForFanQuery, request.args)
    library, anime = get_library().in_language(query.title), anime.called(query.title)
    user = resolve_user(library, query.source, query.username)
    return json_response(_judge(library, anime, position, user))


@blueprint.get("/api/v1/details")
@rate_limited(Cost.PAGE)
def get_details() -> Response:
    """Answer with pictures and synopses, of anime that Hakken knows itself."""
    library = get_library()
    query = parse_query(DetailsQuery, request.args)
    known = [each for each in query.ids if each in library.catalogue]
    found = library.details_cache.get_details(known)
    return json_response(
        details_answer(found), "public, max-age=86400" if found.complete else "no-store"
    )


def _judge(library: Library, anime: Anime, position: int, user: UserRef) -> AnimeForFanResponse:
    anime_list = fetch_list(user)
    username = anime_list.username or user.username
    return judge_for_fan(library, anime, position, anime_list, username)
