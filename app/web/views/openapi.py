"""``GET /api/v1/openapi.json``: the API described."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.recommender import EngineName
from app.web.presenters.openapi import ApiDescription
from app.web.request_costs import Cost, rate_limited
from app.web.state import get_app_state
from app.web.views.responses import PUBLIC_HOUR

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")


@blueprint.get("/openapi.json")
@rate_limited(Cost.PAGE)
def get_openapi() -> Response:
    """Answer with the description; without a model, of an API that knows no words."""
    state = get_app_state()
    library = state.library
    described = ApiDescription(
        version=state.version,
        engines=(EngineName.HAKKEN.value, *(library.model.engines if library else ())),
        words=library.attributes.facets.offered_words() if library else {},
        server=str(state.settings.public_url or "").rstrip("/") or "/",
    )
    response = jsonify(described.to_openapi())
    response.headers["Cache-Control"] = PUBLIC_HOUR
    return response
