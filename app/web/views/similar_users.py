"""``/fans``: the fans most like one, what they prefer, and what they loved; the same as JSON.

Only where the model keeps the fans that one of its engines was fitted to (`app.recommender.training_users`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.lists.entry import AnimeList
from app.neighbours_json import neighbours_to_json
from app.recommender import EngineName
from app.recommender.user_neighbours import find_user_neighbours
from app.web.presenters.export import export_response
from app.web.presenters.filter_form import build_filter_form
from app.web.presenters.results import build_title_language_link
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import (
    InvalidQuery,
    QueryOptions,
    UserQuery,
    parse_page_query,
    parse_query,
    to_page_query,
)
from app.web.services.filters import ActiveFilter
from app.web.services.recommend import (
    active_filters_for,
    build_allowed_mask,
    build_user_profile,
    fetch_list_or_empty,
    get_source,
    run_with_relaxations,
    to_user_list,
)
from app.web.state import Library, get_library
from app.web.views.responses import json_response

blueprint = Blueprint("fans", __name__)


@blueprint.get("/fans/<source>/<path:username>")
@rate_limited(Cost.LIST)
def show_similar_users(source: str, username: str) -> str | AnyResponse:
    """Fans like a user of another site."""
    library = get_library()
    if source not in library.sources or not library.model.training_users:
        abort(404)
    options = parse_page_query(request.args)

    def url_for_options(wanted: QueryOptions) -> str:
        return url_for(
            ".show_similar_users", source=source, username=username, **to_page_query(wanted)
        )

    if "apply" in request.args:
        return redirect(url_for_options(options), 303)
    site = library.sources[source]
    anime_list = fetch_list_or_empty(site, username)
    filtered = run_with_relaxations(
        partial(_find_similar_users, library, anime_list),
        options,
        lambda body: len(body["recommendations"]),
    )
    body = filtered.result
    if "format" in request.args:
        return export_response(request.args["format"], body)
    return render_template(
        "fans.html",
        found=body,
        crowd=len(library.model.training_users[body["engine"]]),
        results={
            "filter_form": build_filter_form(library, filtered, options),
            "cards": body["recommendations"],
        },
        titles=build_title_language_link(options),
        name=anime_list.username or username,
        site=site.name,
        address=url_for_options,
        action=url_for_options(QueryOptions()),
        carried=None,
        page_query=to_page_query,
        back=url_for(
            "pages.show_user_recommendations",
            source=source,
            username=username,
            **to_page_query(options),
        ),
        data_date=library.model.manifest.created[:10],
    )


@blueprint.get("/api/v1/fans")
@rate_limited(Cost.LIST)
def get_similar_users() -> Response:
    """The fans most like a user, and what they loved."""
    library = get_library()
    query = parse_query(UserQuery, request.args)
    anime_list = fetch_list_or_empty(get_source(library, query.source), query.username)
    body, _ = _find_similar_users(library, anime_list, query)
    return json_response({"source": anime_list.source, "username": anime_list.username, **body})


def _find_similar_users(
    library: Library, anime_list: AnimeList, options: QueryOptions
) -> tuple[dict[str, Any], list[ActiveFilter]]:
    engine = _resolve_engine(library, options)
    user = build_user_profile(library, to_user_list(anime_list), options)
    filters = active_filters_for(library, (user,), options)
    allowed = build_allowed_mask(library, options, filters)
    found = find_user_neighbours(library.model, engine, user, count=options.top, allowed=allowed)
    body = neighbours_to_json(
        found, library.model, library.catalogue, engine, english=options.english
    )
    return body, filters


def _resolve_engine(library: Library, options: QueryOptions) -> str:
    """The engine asked for, or the first that keeps its fans.

    Raises:
        BadQuery: the one asked for keeps none, or none does.
    """
    engines_with_users = list(library.model.training_users)
    if not engines_with_users:
        raise InvalidQuery("engine", "This Hakken keeps no fans to compare with.")
    if options.engine is EngineName.HAKKEN:
        return engines_with_users[0]
    if options.engine not in engines_with_users:
        raise InvalidQuery("engine", f"“engine” should be one of: {', '.join(engines_with_users)}.")
    return options.engine.value
