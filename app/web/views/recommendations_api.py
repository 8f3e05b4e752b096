"""The JSON API. Its errors are ``application/problem+json`` (`app.web.problems`)."""

from __future__ import annotations

import sys
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.recommendation_json import recommendations_to_json
from app.recommender import UserList
from app.web.request_costs import Cost, rate_limited
from app.web.requests.body import parse_body
from app.web.requests.query import QueryOptions, UserQuery, parse_query
from app.web.services.recommend import (
    fetch_list_or_empty,
    get_source,
    recommend_and_record,
    to_user_list,
)
from app.web.state import get_app_state, get_library
from app.web.views.responses import json_response

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@blueprint.get("/recommendations")
@rate_limited(Cost.LIST)
def get_user_recommendations() -> Response:
    """Recommendations for the public list of a user of another site."""
    library = get_library()
    query = parse_query(UserQuery, request.args)
    anime_list = fetch_list_or_empty(get_source(library, query.source), query.username)
    body = _recommendations_body(to_user_list(anime_list), query, anime_list.unmapped)
    body["list"]["unmapped"] = anime_list.unmapped
    return json_response({"source": anime_list.source, "username": anime_list.username, **body})


@blueprint.post("/recommendations")
@rate_limited(Cost.LIST)
def post_recommendations() -> Response:
    """Recommendations for the list in the body."""
    if not request.is_json:
        raise UnsupportedMediaType
    body = parse_body(_read_body_bytes(), get_app_state().settings.max_list_length)
    return json_response(_recommendations_body(body.user_list, body.options))


def _recommendations_body(
    user_list: UserList, options: QueryOptions, unmapped: int = 0
) -> dict[str, Any]:
    """The answer; one that filters left empty says which of them to relax."""
    library = get_library()
    filtered = recommend_and_record(library, user_list, options, unmapped)
    body = recommendations_to_json(filtered.result, library.catalogue, english=options.english)
    if not filtered.result.recommendations and filtered.filters:
        body["relax"] = [each.to_json() for each in filtered.relaxations]
    return body


def _read_body_bytes() -> bytes:
    data = request.get_data()
    # A body without Content-Length is cut off at the limit, silently.
    if len(data) >= (request.max_content_length or sys.maxsize):
        raise RequestEntityTooLarge
    return data
