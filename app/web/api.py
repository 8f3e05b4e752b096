"""The JSON API. Its errors are ``application/problem+json`` (`app.web.problems`)."""

from __future__ import annotations

import sys
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.answer import answer_as_json
from app.recommender import Listed
from app.web.answering import answer_noting, fetch_list, source_called, to_listed
from app.web.as_json import as_json
from app.web.body import read_body
from app.web.options import FetchQuery, Options, read_query
from app.web.state import hakken, library

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@blueprint.get("/recommendations")
def of_user() -> Response:
    """Recommendations for the public list of a user of another site."""
    held = library()
    query = read_query(FetchQuery, request.args)
    fan_list = fetch_list(source_called(held, query.source), query.username)
    found = _answered(to_listed(fan_list), query, fan_list.unmapped)
    found["list"]["unmapped"] = fan_list.unmapped
    return as_json({"source": fan_list.source, "username": fan_list.username, **found})


@blueprint.post("/recommendations")
def of_list() -> Response:
    """Recommendations for the list in the body."""
    if not request.is_json:
        raise UnsupportedMediaType
    body = read_body(_data(), hakken().settings.max_list_length)
    return as_json(_answered(body.listed, body.options))


def _answered(listed: Listed, options: Options, unmapped: int = 0) -> dict[str, Any]:
    """The answer; one that filters left empty says which of them to relax."""
    held = library()
    answered = answer_noting(held, listed, options, unmapped)
    body = answer_as_json(answered.found, held.catalogue, english=options.english)
    if not answered.found.recommendations and answered.filters:
        body["relax"] = [each.as_json() for each in answered.relax]
    return body


def _data() -> bytes:
    data = request.get_data()
    # A body without Content-Length is cut off at the limit, silently.
    if len(data) >= (request.max_content_length or sys.maxsize):
        raise RequestEntityTooLarge
    return data
