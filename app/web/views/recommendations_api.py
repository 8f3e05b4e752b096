"""The JSON API. Its errors are ``application/problem+json`` (`app.web.problems`)."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from app.lists.files import place_entries
from app.web.presenters.answers import (
    file_recommendations_answer,
    recommendations_answer,
    user_recommendations_answer,
)
from app.web.request_costs import Cost, rate_limited
from app.web.requests.body import parse_body
from app.web.requests.query import QueryOptions, UserQuery, parse_query
from app.web.requests.upload import MAX_UPLOAD_BYTES, parse_list_file, read_whole_body
from app.web.services.recommendations import recommend_and_record
from app.web.services.user_lists import fetch_list, resolve_user, to_user_list
from app.web.state import get_app_state, get_library
from app.web.views.responses import json_response

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@blueprint.get("/recommendations")
@rate_limited(Cost.LIST)
def get_user_recommendations() -> Response:
    """Recommend for the public list of a user of another site."""
    query = parse_query(UserQuery, request.args)
    library = get_library().in_language(query.title)
    anime_list = fetch_list(resolve_user(library, query.source, query.username))
    user_list = to_user_list(anime_list)
    filtered = recommend_and_record(library, user_list, query, anime_list.unmapped)
    return json_response(user_recommendations_answer(library, filtered, query, anime_list))


@blueprint.post("/recommendations")
@rate_limited(Cost.LIST)
def post_recommendations() -> Response:
    """Recommend for the list in the body."""
    if not request.is_json:
        raise UnsupportedMediaType
    body = parse_body(read_whole_body(request), get_app_state().settings.max_list_length)
    library = get_library().in_language(body.title)
    filtered = recommend_and_record(library, body.user_list, body.options)
    return json_response(recommendations_answer(library, filtered, body.options))


@blueprint.post("/recommendations/file")
@rate_limited(Cost.LIST)
def post_file() -> Response:
    """Recommend for the list in a file, which is the body itself."""
    request.max_content_length = MAX_UPLOAD_BYTES
    options = parse_query(QueryOptions, request.args)
    library = get_library().in_language(options.title)
    max_entries = get_app_state().settings.max_list_length
    file_list = parse_list_file(read_whole_body(request), max_entries)
    anime_list = place_entries(file_list, library.catalogue, library.title_index)
    user_list = to_user_list(anime_list)
    filtered = recommend_and_record(library, user_list, options, anime_list.unmapped)
    return json_response(file_recommendations_answer(library, filtered, options, anime_list))
