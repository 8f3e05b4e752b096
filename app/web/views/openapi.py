"""The API described: ``/api/v1/openapi.json`` for programs, ``/api`` for people."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, jsonify, render_template, request

from app.recommender import EngineName
from app.web.addresses import own_origin
from app.web.presenters.openapi import ApiDescription, example_command
from app.web.request_costs import Cost, rate_limited
from app.web.services.showcase import known_anime
from app.web.state import get_app_state, get_library
from app.web.views.responses import PUBLIC_HOUR, page_response

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/api/v1/openapi.json")
@rate_limited(Cost.PAGE)
def get_openapi() -> Response:
    """Answer with the description; without a model, of an API that knows no words."""
    response = jsonify(_describe().to_openapi())
    response.headers["Cache-Control"] = PUBLIC_HOUR
    return response


@blueprint.get("/api")
@rate_limited(Cost.PAGE)
def show_api() -> Response:
    """Show the description to people."""
    (known,) = known_anime(get_library(), 1)
    description = _describe().to_openapi()
    base_url = own_origin() + request.script_root
    example = partial(example_command, base_url=base_url, anime_id=known.anime_id)
    page = render_template("api.html", description=description, example=example)
    return page_response(page, PUBLIC_HOUR)


def _describe() -> ApiDescription:
    state = get_app_state()
    library = state.library
    return ApiDescription(
        version=state.version,
        engines=(EngineName.HAKKEN.value, *(library.model.engines if library else ())),
        words=library.attributes.facets.offered_words() if library else {},
        server=(own_origin() if state.settings.public_url else "") + request.script_root or "/",
    )
